"""Records that expire: not served, removed, and counted exactly."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from registry_service.postgres.database import open_database
from registry_service.postgres.record_store import PostgresRecordStore
from registry_service.postgres.tenant_store import PostgresTenantStore
from registry_service.storage.sweeping import Sweeper
from shared.clock import SystemClock
from shared.errors import ArgumentInvalidError, StorageEntryNotFoundError
from shared.pb.registry.v1 import storage_service_pb2 as pb
from tests.fixtures.grant_holders import Holder, holder_of
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.registry import RegistryUnderTest, new_tenant


@pytest.fixture(scope="module")
async def extension(registry: RegistryUnderTest) -> str:
    await registry.publish(name="fleeting")
    return "acme.fleeting"


@pytest.fixture
async def holder(registry: RegistryUnderTest, extension: str) -> Holder:
    tenant = new_tenant()
    await registry.install(tenant, extension)
    return await holder_of(registry, tenant, extension)


@pytest.fixture
async def owner(database: TestDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database.owner_dsn)
    yield connection
    await connection.close()


async def let_expire(owner: Any, holder: Holder, *keys: str) -> None:
    """Lets the time of records be over; a minute is the shortest that can be asked for."""
    await owner.execute(
        "update ext_storage_records set expires_at = clock_timestamp() "
        "where tenant_id = $1 and key = any($2)",
        holder.grant.tenant_id,
        keys,
    )


async def counted(owner: Any, holder: Holder) -> tuple[int, int]:
    """Keys and bytes as accounted, after a look that they are what is there."""
    tenant = holder.grant.tenant_id
    async with owner.transaction(isolation="repeatable_read"):
        there = await owner.fetch(
            "select namespace, count(*), sum(octet_length(value)) from ext_storage_records "
            "where tenant_id = $1 group by 1 order by 1",
            tenant,
        )
        told = await owner.fetch(
            "select namespace, keys_count, bytes_used from ext_storage_usage "
            "where tenant_id = $1 order by 1",
            tenant,
        )
    assert [tuple(row) for row in there] == [tuple(row) for row in told]
    return sum(row[1] for row in told), sum(row[2] for row in told)


def seconds_left(expires_at: Timestamp) -> float:
    return (expires_at.ToDatetime() - SystemClock().now().replace(tzinfo=None)).total_seconds()


@pytest.mark.parametrize("ttl", [60, 2_592_000])
async def test_a_record_may_live_a_minute_to_thirty_days(holder: Holder, ttl: int) -> None:
    written = await holder.put("k", b"v", ttl_seconds=ttl)
    assert ttl - 20 < seconds_left(written.expires_at) < ttl + 20
    assert (await holder.get("k")).expires_at == written.expires_at
    assert (await holder.page()).entries[0].expires_at == written.expires_at


@pytest.mark.parametrize("ttl", [1, 59, 2_592_001, 2**31, 2**64 - 1])
async def test_any_other_time_is_refused(holder: Holder, ttl: int) -> None:
    with pytest.raises(ArgumentInvalidError, match="60 to 2592000 seconds"):
        await holder.put("k", b"v", ttl_seconds=ttl)
    with pytest.raises(ArgumentInvalidError, match="60 to 2592000 seconds"):
        await holder.put_all(pb.EntryWrite(key="k", value=b"v", ttl_seconds=ttl))
    assert not await holder.keys()


async def test_a_write_without_a_time_lets_the_record_live(holder: Holder) -> None:
    await holder.put("k", b"v", ttl_seconds=60)
    assert not (await holder.put("k", b"v")).HasField("expires_at")
    assert not (await holder.get("k")).HasField("expires_at")


async def test_what_has_expired_is_not_there(holder: Holder, owner: Any) -> None:
    for key in "abc":
        await holder.put(key, b"v", ttl_seconds=60)
    await let_expire(owner, holder, "a", "c")
    with pytest.raises(StorageEntryNotFoundError):
        await holder.get("a")
    assert await holder.keys() == ["b"]
    with pytest.raises(StorageEntryNotFoundError):
        await holder.delete("a")
    assert (await holder.put("c", b"new", if_revision=0)).revision == 1


async def test_a_write_counts_what_has_expired_no_more(holder: Holder, owner: Any) -> None:
    for number in range(5):
        await holder.put(f"k{number}", bytes(100), ttl_seconds=60)
    await holder.put("k", bytes(7), "other", ttl_seconds=60)
    assert await counted(owner, holder) == (6, 507)
    await let_expire(owner, holder, "k0", "k1", "k2", "k")
    await holder.put("new", bytes(10))
    assert await counted(owner, holder) == (3, 210)
    await let_expire(owner, holder, "k3")
    with pytest.raises(StorageEntryNotFoundError):
        await holder.delete("k3")
    await holder.delete("k4")
    assert await counted(owner, holder) == (1, 10)


async def test_the_sweeper_finds_what_nobody_writes_to(
    registry: RegistryUnderTest,
    extension: str,
    holder: Holder,
    owner: Any,
    database: TestDatabase,
) -> None:
    other = new_tenant()
    await registry.install(other, extension)
    others = await holder_of(registry, other, extension)
    for each in (holder, others):
        await each.put("old", bytes(100), ttl_seconds=60)
        await each.put("kept", bytes(10), ttl_seconds=60)
        await let_expire(owner, each, "old")
    async with open_database(
        database.application_dsn, max_connections=4, clock=SystemClock()
    ) as opened:
        sweeper = Sweeper(
            tenants=PostgresTenantStore(database=opened),
            records=PostgresRecordStore(database=opened),
        )
        # two registries may sweep at once, while guests write
        *swept, _ = await asyncio.gather(
            sweeper.sweep(), sweeper.sweep(), holder.put("new", bytes(1))
        )
        assert sum(swept) in (1, 2)  # the writer may have been first
        for each, left in ((holder, (2, 11)), (others, (1, 10))):
            assert await counted(owner, each) == left
        await let_expire(owner, others, "kept")
        async with sweeper.sweeping(every_seconds=0.01):
            for _ in range(500):
                if await counted(owner, others) == (0, 0):
                    break
                await asyncio.sleep(0.01)
        assert await counted(owner, others) == (0, 0)
