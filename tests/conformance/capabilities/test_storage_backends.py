"""What every `StorageBackend` must do: the registry's, and the one in memory that tests use."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from runner_service.backends.storage import PAGE_SIZE, StorageBackend, StoredEntry
from runner_service.invocation import Invocation
from runner_service.rpc.registry_storage import REPEATABLE, SERVICE, RegistryStorage
from shared.capabilities import STORAGE_KV
from shared.clock import SystemClock
from shared.errors import (
    ArgumentInvalidError,
    CapabilityNotGrantedError,
    RevisionMismatchError,
    StorageEntryNotFoundError,
)
from shared.rpc.channel import open_channel
from shared.tokens.invocation_grant import InvocationGrantVerifier
from shared.tokens.keys import VerifyingKey
from shared.tokens.service_token import ServiceRole, ServiceTokenSource
from tests.fakes.memory_storage import MemoryStorage
from tests.fixtures.invocations import grant_of, invocation_of
from tests.fixtures.registry import RegistryUnderTest, new_tenant


@dataclass(frozen=True)
class Backend:
    """A backend, and invocations of three installs: two may use storage, one may not."""

    storage: StorageBackend
    ours: Invocation
    theirs: Invocation
    denied: Invocation


@pytest.fixture
def memory_backend() -> Backend:
    return Backend(
        storage=MemoryStorage(),
        ours=invocation_of(grant_of(STORAGE_KV, install=1)),
        theirs=invocation_of(grant_of(STORAGE_KV, install=2)),
        denied=invocation_of(grant_of(install=3)),
    )


@pytest.fixture
async def registry_backend(registry: RegistryUnderTest) -> AsyncIterator[Backend]:
    key = registry.home.service_keys[ServiceRole.RUNNER]
    tokens = ServiceTokenSource(key=key, audience="registry", clock=SystemClock())
    target = f"127.0.0.1:{registry.registry.port}"
    async with open_channel(target, service=SERVICE, repeatable=REPEATABLE) as channel:
        with_storage, without = f"kv-{uuid4().hex[:8]}", f"none-{uuid4().hex[:8]}"
        await registry.publish(name=with_storage)
        await registry.publish(name=without, capabilities=[])
        yield Backend(
            storage=RegistryStorage(channel=channel, tokens=tokens),
            ours=await installed(registry, with_storage),
            theirs=await installed(registry, with_storage),
            denied=await installed(registry, without),
        )


@pytest.fixture(params=["memory_backend", "registry_backend"])
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.getfixturevalue(request.param)
    return found


async def installed(registry: RegistryUnderTest, name: str) -> Invocation:
    """An invocation under a grant of the registry's own, for a tenant of its own."""
    tenant_id = new_tenant()
    await registry.install(tenant_id, f"acme.{name}")
    token = (await registry.resolve(tenant_id, f"acme.{name}")).invocation_grant
    key = registry.home.grant_key
    keys = {key.key_id: VerifyingKey(key.private.public_key(), "registry")}
    grant = InvocationGrantVerifier(keys=keys, clock=SystemClock()).verify(token)
    return invocation_of(grant, grant_token=token)


def entry(key: str, value: bytes, revision: int) -> StoredEntry:
    return StoredEntry(namespace="notes", key=key, value=value, revision=revision)


async def put(backend: Backend, key: str, value: bytes = b"", **options: int) -> StoredEntry:
    return await backend.storage.put(
        backend.ours, "notes", key, value, if_revision=options.get("if_revision")
    )


async def test_what_was_put_is_got_with_its_revision(backend: Backend) -> None:
    assert await put(backend, "a", b"\0\xff") == entry("a", b"\0\xff", 1)
    assert await put(backend, "a", b"") == entry("a", b"", 2)
    assert await backend.storage.get(backend.ours, "notes", "a") == entry("a", b"", 2)


async def test_what_is_not_there_is_not_found(backend: Backend) -> None:
    with pytest.raises(StorageEntryNotFoundError):
        await backend.storage.get(backend.ours, "notes", "a")
    with pytest.raises(StorageEntryNotFoundError):
        await backend.storage.delete(backend.ours, "notes", "a")


async def test_a_write_for_another_revision_changes_nothing(backend: Backend) -> None:
    with pytest.raises(RevisionMismatchError):
        await put(backend, "a", b"1", if_revision=1)
    await put(backend, "a", b"1", if_revision=0)
    with pytest.raises(RevisionMismatchError):
        await put(backend, "a", b"2", if_revision=0)
    with pytest.raises(RevisionMismatchError):
        await put(backend, "a", b"2", if_revision=2**64 - 1)
    assert await put(backend, "a", b"2", if_revision=1) == entry("a", b"2", 2)


async def test_what_is_deleted_is_gone_and_begins_anew(backend: Backend) -> None:
    await put(backend, "a")
    await backend.storage.delete(backend.ours, "notes", "a")
    with pytest.raises(StorageEntryNotFoundError):
        await backend.storage.get(backend.ours, "notes", "a")
    assert (await put(backend, "a")).revision == 1


async def test_installs_do_not_see_each_other(backend: Backend) -> None:
    await put(backend, "a")
    with pytest.raises(StorageEntryNotFoundError):
        await backend.storage.get(backend.theirs, "notes", "a")
    assert list(await backend.storage.list_entries(backend.theirs, "notes", after_key=None)) == []


async def test_an_install_without_the_capability_is_refused(backend: Backend) -> None:
    with pytest.raises(CapabilityNotGrantedError):
        await backend.storage.get(backend.denied, "notes", "a")


@pytest.mark.parametrize(
    ("namespace", "key"),
    [("", "a"), ("notes", ""), ("notes", "a/b"), ("n" * 129, "a"), ("n", "\0"), ("\x9b", "a")],
)
async def test_names_outside_the_grammar_are_refused(
    backend: Backend, namespace: str, key: str
) -> None:
    with pytest.raises(ArgumentInvalidError):
        await backend.storage.get(backend.ours, namespace, key)


async def test_a_value_over_64_kib_is_refused(backend: Backend) -> None:
    await put(backend, "a", b"\0" * 65_536)
    with pytest.raises(ArgumentInvalidError):
        await put(backend, "b", b"\0" * 65_537)


async def test_listing_goes_on_from_the_last_key_seen_and_skips_none(backend: Backend) -> None:
    keys = sorted(f"key-{number:03}" for number in range(2 * PAGE_SIZE + 7))
    for key in keys:
        await put(backend, key)

    seen: list[str] = []
    pages = []
    cursor: str | None = None
    while page := await backend.storage.list_entries(backend.ours, "notes", after_key=cursor):
        pages.append(len(page))
        seen += [one.key for one in page]
        cursor = seen[-1]

    assert seen == keys
    assert pages == [PAGE_SIZE, PAGE_SIZE, 7]


@pytest.mark.parametrize(
    ("after", "first"), [("key-030", "key-031"), ("key-0305", "key-031"), ("a", "key-000")]
)
async def test_listing_goes_on_from_a_key_that_no_page_ended_with(
    backend: Backend, after: str, first: str
) -> None:
    """A guest may remember a key over calls, runners and deletions."""
    for number in range(2 * PAGE_SIZE + 10):
        await put(backend, f"key-{number:03}")

    page = await backend.storage.list_entries(backend.ours, "notes", after_key=after)

    assert page[0].key == first
    assert len(page) == PAGE_SIZE


async def test_keys_are_in_the_order_of_their_characters(backend: Backend) -> None:
    keys = ["Z", "a", "é", "z", "\U0001f600", "~", "10", "9"]
    for key in keys:
        await put(backend, key)

    page = await backend.storage.list_entries(backend.ours, "notes", after_key=None)

    assert [one.key for one in page] == sorted(keys)
