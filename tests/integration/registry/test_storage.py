"""The records of an install, over the wire, under invocation grants."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from registry_service.postgres.database import open_database
from registry_service.postgres.record_store import PostgresRecordStore
from registry_service.storage.model import RecordWrite, StorageLimits
from shared.clock import SystemClock
from shared.errors import (
    ArgumentInvalidError,
    CapabilityNotGrantedError,
    ForbiddenError,
    InvocationGrantInvalidError,
    PageTokenInvalidError,
    RevisionMismatchError,
    StorageEntryNotFoundError,
    StorageLimitExceededError,
)
from shared.identifiers import InstallId, TenantId
from shared.pb.registry.v1 import install_service_pb2
from shared.pb.registry.v1 import storage_service_pb2 as pb
from shared.tokens.service_token import ServiceRole
from tests.fixtures.grant_holders import Holder
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.registry import RegistryUnderTest, new_signing_key, new_tenant


@pytest.fixture(scope="module")
async def extension(registry: RegistryUnderTest) -> str:
    await registry.publish(name="stored")
    return "acme.stored"


@pytest.fixture
async def holder(registry: RegistryUnderTest, extension: str) -> Holder:
    """A grant for an install of a tenant of its own."""
    tenant = new_tenant()
    await registry.install(tenant, extension)
    return Holder(registry, (await registry.resolve(tenant, extension)).invocation_grant)


async def test_what_was_put_comes_back_until_it_is_deleted(holder: Holder) -> None:
    value = bytes(range(256))
    assert (await holder.put("k", value)).revision == 1
    assert (await holder.put("k", value + b"2")).revision == 2
    entry = await holder.get("k")
    assert (entry.namespace, entry.key, entry.value, entry.revision) == ("n", "k", value + b"2", 2)
    await holder.delete("k")
    for gone in (holder.get("k"), holder.delete("k")):
        with pytest.raises(StorageEntryNotFoundError):
            await gone
    assert (await holder.put("k", b"")).revision == 1


async def test_a_write_under_a_revision_happens_only_at_that_revision(holder: Holder) -> None:
    with pytest.raises(RevisionMismatchError):
        await holder.put("k", b"x", if_revision=1)
    assert (await holder.put("k", b"1", if_revision=0)).revision == 1
    with pytest.raises(RevisionMismatchError):
        await holder.put("k", b"again", if_revision=0)
    assert (await holder.put("k", b"2", if_revision=1)).revision == 2
    for stale in (1, 3, 2**64 - 1):
        with pytest.raises(RevisionMismatchError):
            await holder.put("k", b"x", if_revision=stale)
        with pytest.raises(RevisionMismatchError):
            await holder.delete("k", if_revision=stale)
    await holder.delete("k", if_revision=2)


async def test_of_concurrent_writes_at_one_revision_one_wins(holder: Holder) -> None:
    outcomes = await asyncio.gather(
        *(holder.put("k", bytes([number]), if_revision=0) for number in range(8)),
        return_exceptions=True,
    )
    lost = [each for each in outcomes if isinstance(each, RevisionMismatchError)]
    assert len(lost) == 7
    await asyncio.gather(*(holder.put("k", b"x") for _ in range(10)))
    assert (await holder.get("k")).revision == 11


@pytest.mark.parametrize(
    ("namespace", "key"),
    [("", "k"), ("n" * 129, "k"), ("n", ""), ("n", "k" * 257), ("n", "a/b"), ("n", "a\x00b"),
     ("n\x1f", "k"), ("n", "a\x9b")],
)  # fmt: skip
async def test_names_that_break_their_grammar_are_refused(
    holder: Holder, namespace: str, key: str
) -> None:
    for call in (holder.get(key, namespace), holder.put(key, b"", namespace)):
        with pytest.raises(ArgumentInvalidError):
            await call


async def test_a_value_has_at_most_64_kib(holder: Holder) -> None:
    assert (await holder.put("k" * 256, bytes(65536), "n" * 128)).revision == 1
    with pytest.raises(ArgumentInvalidError):
        await holder.put("k", bytes(65537))


async def test_pages_show_every_record_once_in_key_order(holder: Holder) -> None:
    keys = [f"key {number:03}" for number in range(53)] + ["Ünïcode", "😀"]
    for key in keys:
        await holder.put(key, key.encode())
    await holder.put("elsewhere", b"", "other")
    for size in (0, 1, 7, 55, 100):
        found, token = [], ""
        while True:
            page = await holder.page(page_size=size, page_token=token)
            assert 0 < len(page.entries) <= (size or 25)
            found += [entry.key for entry in page.entries]
            token = page.next_page_token
            if not token:
                break
        assert found == sorted(keys)
    assert not (await holder.page("empty")).entries
    with pytest.raises(ArgumentInvalidError):
        await holder.page(page_size=101)


async def test_a_page_token_is_good_for_its_own_listing_only(
    holder: Holder, registry: RegistryUnderTest, extension: str
) -> None:
    for number in range(3):
        await holder.put(f"k{number}", b"")
    token = (await holder.page(page_size=1)).next_page_token
    other = new_tenant()
    await registry.install(other, extension)
    foreign = Holder(registry, (await registry.resolve(other, extension)).invocation_grant)
    for wrong in (
        holder.page("other", page_token=token),
        foreign.page(page_token=token),
        holder.page(page_token=token[:-2]),
        holder.page(page_token="!!"),
        holder.page(page_token="A" * 5000),
    ):
        with pytest.raises(PageTokenInvalidError):
            await wrong


async def test_two_installs_share_nothing(
    registry: RegistryUnderTest, extension: str, holder: Holder
) -> None:
    await holder.put("k", b"secret")
    await registry.publish(name="second")
    tenant = holder.grant.tenant_id
    await registry.install(tenant, "acme.second")
    same_tenant = Holder(registry, (await registry.resolve(tenant, "acme.second")).invocation_grant)
    other = new_tenant()
    await registry.install(other, extension)
    other_tenant = Holder(registry, (await registry.resolve(other, extension)).invocation_grant)
    for foreign in (same_tenant, other_tenant):
        with pytest.raises(StorageEntryNotFoundError):
            await foreign.get("k")
        with pytest.raises(StorageEntryNotFoundError):
            await foreign.delete("k")
        assert not (await foreign.page()).entries
        assert (await foreign.put("k", b"own", if_revision=0)).revision == 1
    assert (await holder.get("k")).value == b"secret"


@pytest.mark.parametrize(
    ("spoil", "refused"),
    [
        (lambda holder: Holder(holder.registry, ""), InvocationGrantInvalidError),
        (lambda holder: Holder(holder.registry, "x" * 9000), InvocationGrantInvalidError),
        (lambda holder: Holder(holder.registry, holder.grant_token[:-4] + "AAAA"),
         InvocationGrantInvalidError),
        (lambda holder: holder.with_grant(new_signing_key()), InvocationGrantInvalidError),
        (lambda holder: holder.with_grant(
            expires_at=SystemClock().now() - timedelta(seconds=11)), InvocationGrantInvalidError),
        (lambda holder: holder.with_grant(capabilities=frozenset({"cap:log.emit"})),
         CapabilityNotGrantedError),
        (lambda holder: holder.with_grant(install_id=InstallId(uuid4())),
         InvocationGrantInvalidError),
        (lambda holder: holder.with_grant(tenant_id=TenantId(uuid4())),
         InvocationGrantInvalidError),
    ],
    ids=["none", "long", "tampered", "forged", "expired", "capability", "install", "tenant"],
)  # fmt: skip
async def test_without_a_good_grant_nothing_is_written(
    holder: Holder, spoil: Callable[[Holder], Holder], refused: type[Exception]
) -> None:
    with pytest.raises(refused):
        await spoil(holder).put("k", b"x")
    assert not (await holder.page()).entries


async def test_only_a_runner_may_ask(holder: Holder) -> None:
    for role in (ServiceRole.GATEWAY, ServiceRole.OPERATOR):
        with pytest.raises(ForbiddenError):
            await holder.registry.call(
                holder.registry.storage.GetEntry,
                pb.GetEntryRequest(namespace="n", key="k"),
                role=role,
                grant=holder.grant_token,
            )


async def test_uninstalling_removes_the_records(holder: Holder, extension: str) -> None:
    await holder.put("k", b"x")
    tenant = str(holder.grant.tenant_id)
    request = install_service_pb2.UninstallRequest(tenant_id=tenant, extension=extension)
    await holder.registry.call(holder.registry.installs.Uninstall, request)
    with pytest.raises(InvocationGrantInvalidError, match="gone"):
        await holder.put("k", b"x")
    with pytest.raises(InvocationGrantInvalidError, match="gone"):
        await holder.delete("k")
    assert not (await holder.page()).entries
    await holder.registry.install(holder.grant.tenant_id, extension)
    again = await holder.registry.resolve(holder.grant.tenant_id, extension)
    assert not (await Holder(holder.registry, again.invocation_grant).page()).entries


async def test_limits_hold_under_concurrent_writers(database: TestDatabase, holder: Holder) -> None:
    limits = StorageLimits(total_bytes=1000, keys_per_namespace=5, namespaces=3)
    tenant, install = holder.grant.tenant_id, holder.grant.install_id
    async with open_database(
        database.application_dsn, max_connections=8, clock=SystemClock()
    ) as opened:
        store = PostgresRecordStore(database=opened)

        async def put(namespace: str, key: str, size: int) -> int:
            try:
                write = RecordWrite(key=key, value=bytes(size))
                await store.put(tenant, install, namespace, [write], limits=limits)
            except StorageLimitExceededError:
                return 0
            return 1

        async def used() -> int:
            pages = [
                await store.list_records(
                    tenant, install, f"n{number}", after_key="", key_prefix="", limit=100
                )
                for number in range(40)
            ]
            return sum(len(record.value) for page in pages for record in page)

        assert sum(await asyncio.gather(*(put("n0", f"k{n}", 1) for n in range(20)))) == 5
        assert sum(await asyncio.gather(*(put(f"n{n}", "k", 1) for n in range(1, 20)))) == 2
        keys = await holder.keys("n0")
        assert await put("n0", keys[0], 1000) == 0
        fits = await asyncio.gather(*(put("n0", key, 300) for key in keys))
        assert sum(fits) == 3
        assert await used() <= 1000
        stored = [key for key, fit in zip(keys, fits, strict=True) if fit]
        assert await put("n0", stored[0], 1) == 1  # shrinking makes room
        assert await put("n0", stored[1], 350) == 1
        names = [n for n in range(1, 20) if await store.get(tenant, install, f"n{n}", "k")]
        await store.delete(tenant, install, f"n{names[0]}", "k", if_revision=None)
        assert await put("n39", "k", 1) == 1  # an empty namespace is none
