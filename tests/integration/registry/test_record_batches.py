"""Several records at once: all of them, or none; and quotas that hold to the byte."""

import asyncio
import random
from typing import Any

import asyncpg
import pytest

from registry_service.postgres.database import open_database
from registry_service.postgres.record_store import PostgresRecordStore
from registry_service.storage.model import RecordWrite, StorageLimits
from shared.clock import SystemClock
from shared.errors import (
    ArgumentInvalidError,
    CapabilityNotGrantedError,
    InvocationGrantInvalidError,
    RevisionMismatchError,
    StorageEntryNotFoundError,
    StorageLimitExceededError,
)
from shared.pb.registry.v1 import install_service_pb2
from shared.pb.registry.v1 import storage_service_pb2 as pb
from tests.fixtures.grant_holders import Holder, holder_of
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.registry import RegistryUnderTest, new_tenant

WRITERS = 64


@pytest.fixture(scope="module")
async def extension(registry: RegistryUnderTest) -> str:
    await registry.publish(name="batched")
    return "acme.batched"


@pytest.fixture
async def holder(registry: RegistryUnderTest, extension: str) -> Holder:
    tenant = new_tenant()
    await registry.install(tenant, extension)
    return await holder_of(registry, tenant, extension)


def write(key: str, value: bytes = b"v", **options: int) -> pb.EntryWrite:
    return pb.EntryWrite(key=key, value=value, **options)


async def test_a_batch_writes_all_and_answers_in_its_order(holder: Holder) -> None:
    await holder.put("b", b"old")
    entries = await holder.put_all(
        write("c", b"3", if_revision=0), write("b", b"2", if_revision=1), write("a", ttl_seconds=60)
    )
    assert [(each.key, each.revision) for each in entries] == [("c", 1), ("b", 2), ("a", 1)]
    assert [each.HasField("expires_at") for each in entries] == [False, False, True]
    for entry in entries:
        assert await holder.get(entry.key) == entry


@pytest.mark.parametrize("bad", [write("y", if_revision=1), write("x0", if_revision=0)])
async def test_one_mismatch_lets_nothing_of_a_batch_happen(
    holder: Holder, bad: pb.EntryWrite
) -> None:
    await holder.put("x0", b"old")
    with pytest.raises(RevisionMismatchError) as told:
        await holder.put_all(write("n0"), bad, write("n1"))
    assert told.value.metadata["key"] == bad.key
    assert await holder.keys() == ["x0"]
    assert (await holder.get("x0")).value == b"old"


@pytest.mark.parametrize(
    "writes",
    [
        [],
        [write(f"k{number}") for number in range(21)],
        [write("same"), write("other"), write("same")],
        [write(f"k{number}", bytes(60_000)) for number in range(9)],  # over 512 KiB together
        [write("k"), write("a/b")],
        [write("k"), write("")],
        [write("k"), write("k2", bytes(65_537))],
        [write("k"), write("k2", ttl_seconds=59)],
    ],
    ids=["none", "21", "twice", "512 KiB", "grammar", "empty key", "64 KiB", "ttl"],
)
async def test_a_batch_that_breaks_a_rule_is_refused_as_a_whole(
    holder: Holder, writes: list[pb.EntryWrite]
) -> None:
    with pytest.raises(ArgumentInvalidError):
        await holder.put_all(*writes)
    assert await holder.keys() == []


async def test_a_batch_may_be_as_large_as_said(holder: Holder) -> None:
    writes = [write(f"k{number:02}", bytes(26_214)) for number in range(20)]
    assert len(await holder.put_all(*writes)) == 20


async def test_a_batch_needs_a_good_grant(holder: Holder) -> None:
    with pytest.raises(CapabilityNotGrantedError):
        await holder.with_grant(capabilities=frozenset()).put_all(write("k"))
    with pytest.raises(InvocationGrantInvalidError):
        await Holder(holder.registry, "").put_all(write("k"))


async def test_concurrent_batches_over_the_same_keys_neither_mix_nor_block(holder: Holder) -> None:
    async def put(number: int) -> None:
        keys = [f"k{key}" for key in range(10)]
        random.Random(number).shuffle(keys)  # noqa: S311 - any order: there is no deadlock
        await holder.put_all(*(write(key, bytes([number])) for key in keys))

    await asyncio.gather(*(put(number) for number in range(16)))
    entries = (await holder.page()).entries
    assert {entry.revision for entry in entries} == {16}
    assert len({entry.value for entry in entries}) == 1  # all of one batch


async def test_a_disabled_install_writes_no_more(holder: Holder, extension: str) -> None:
    await holder.put("k", b"v")
    request = install_service_pb2.DisableRequest(
        tenant_id=str(holder.grant.tenant_id), extension=extension
    )
    await holder.registry.call(holder.registry.installs.Disable, request)
    for late in (holder.put("k", b"2"), holder.put_all(write("k")), holder.delete("k")):
        with pytest.raises(InvocationGrantInvalidError, match="disabled"):
            await late


async def test_64_writers_never_pass_a_quota_and_usage_is_what_is_there(
    database: TestDatabase, holder: Holder
) -> None:
    limits = StorageLimits(total_bytes=20_000, keys_per_namespace=12, namespaces=3)
    tenant, install = holder.grant.tenant_id, holder.grant.install_id
    owner = await asyncpg.connect(database.owner_dsn)
    count = """
        select count(distinct namespace), coalesce(sum(octet_length(value)), 0),
               coalesce((select max(n) from (select count(*) n from ext_storage_records
                         where tenant_id = $1 group by namespace) per), 0)
        from ext_storage_records where tenant_id = $1"""
    seen: list[tuple[int, int, int]] = []
    outcomes: dict[str, int] = {}

    async def watch(done: asyncio.Event) -> None:
        while not done.is_set():
            row = await owner.fetchrow(count, tenant)
            assert row is not None
            seen.append((int(row[0]), int(row[1]), int(row[2])))
            await asyncio.sleep(0)

    async with open_database(
        database.application_dsn, max_connections=16, clock=SystemClock()
    ) as opened:
        store = PostgresRecordStore(database=opened)

        async def work(number: int) -> None:
            chance = random.Random(number)  # noqa: S311 - the same in every run
            for _ in range(12):
                namespace = f"n{chance.randrange(5)}"
                keys = chance.sample(range(40), chance.choice([1, 1, 3, 20]))
                try:
                    if chance.random() < 0.2:
                        await store.delete(
                            tenant, install, namespace, f"k{keys[0]}", if_revision=None
                        )
                        outcome = "deleted"
                    else:
                        writes = [
                            RecordWrite(key=f"k{key}", value=bytes(chance.choice([9, 99, 1999])))
                            for key in keys
                        ]
                        await store.put(tenant, install, namespace, writes, limits=limits)
                        outcome = "written"
                except StorageLimitExceededError as error:
                    outcome = error.metadata["limit"]
                except StorageEntryNotFoundError:
                    outcome = "not there"
                outcomes[outcome] = outcomes.get(outcome, 0) + 1

        done = asyncio.Event()
        watching = asyncio.create_task(watch(done))
        await asyncio.gather(*(work(number) for number in range(WRITERS)))
        done.set()
        await watching

    assert set(outcomes) == {"written", "deleted", "not there", "bytes", "keys", "namespaces"}
    assert max(row[0] for row in seen) <= limits.namespaces
    assert max(row[1] for row in seen) <= limits.total_bytes
    assert max(row[2] for row in seen) <= limits.keys_per_namespace
    there: list[Any] = await owner.fetch(
        "select namespace, count(*), sum(octet_length(value)) from ext_storage_records "
        "where tenant_id = $1 group by 1 order by 1",
        tenant,
    )
    told = await owner.fetch(
        "select namespace, keys_count, bytes_used from ext_storage_usage "
        "where tenant_id = $1 order by 1",
        tenant,
    )
    await owner.close()
    assert there
    assert [tuple(row) for row in there] == [tuple(row) for row in told]
