"""A publish that stops anywhere leaves nothing that a second attempt stumbles over."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from runner_service.engine.configuration import code_fingerprint
from shared.bundles.archive import content_hash_of
from shared.bundles.file_store import FileBundleStore
from shared.bundles.fleet_artefact import ArtefactKey
from shared.bundles.store import BundleStore
from shared.errors import BundleStoreUnavailableError
from tests.fixtures.postgres import NewDatabase
from tests.fixtures.publishing import new_extension
from tests.fixtures.registry import NewRegistryHome, RegistryUnderTest, registry_on

T = TypeVar("T")


class FaultyStore(FileBundleStore):
    """A real store that fails at one of its operations, before or after it was done."""

    def __init__(self, *, root: Path) -> None:
        super().__init__(root=root)
        self.operations: list[str] = []
        self.fails_at = -1
        self.fails_late = False

    async def put_if_absent(self, key: str, data: bytes) -> bool:
        return await self._perform(f"put {_kind(key)}", super().put_if_absent, key, data)

    async def get(self, key: str, *, max_bytes: int) -> bytes:
        return await self._perform(f"get {_kind(key)}", super().get, key, max_bytes=max_bytes)

    async def size(self, key: str) -> int | None:
        return await self._perform(f"size {_kind(key)}", super().size, key)

    async def _perform(
        self, name: str, operation: Callable[..., Awaitable[T]], *arguments: Any, **named: Any
    ) -> T:
        self.operations.append(name)
        fails = len(self.operations) - 1 == self.fails_at
        if fails and not self.fails_late:
            raise BundleStoreUnavailableError
        result = await operation(*arguments, **named)
        if fails:
            raise BundleStoreUnavailableError
        return result


def _kind(key: str) -> str:
    return key.rpartition(".")[2]


@pytest.fixture
async def faulty(
    new_database: NewDatabase,
    new_registry_home: NewRegistryHome,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[RegistryUnderTest, FaultyStore]]:
    """A registry that seals code, over a store that can be made to fail."""
    home = new_registry_home()
    store = FaultyStore(root=home.root / "faulty")
    (home.root / "faulty").mkdir()
    key_file = home.root / "artefacts.key"
    key_file.write_bytes(bytes(range(32)))
    key_file.chmod(0o600)

    @asynccontextmanager
    async def opened(_url: str, **_: object) -> AsyncIterator[BundleStore]:
        yield store

    monkeypatch.setattr("registry_service.bootstrap.open_bundle_store", opened)
    async with registry_on(
        home,
        await new_database(),
        change=lambda settings: settings.model_copy(update={"artefact_key_file": key_file}),
    ) as registry:
        yield registry, store


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
async def test_whatever_step_fails_the_same_publish_succeeds_when_it_is_repeated(
    faulty: tuple[RegistryUnderTest, FaultyStore],
    late: bool,  # noqa: FBT001 - a parameter
) -> None:
    registry, store = faulty
    store.fails_late = late
    failed: list[str] = []
    for step in range(100):
        acme = await new_extension(registry)
        data = acme.bundle()
        store.operations.clear()
        store.fails_at = step
        try:
            await acme.add(data)
            complete = True
        except BundleStoreUnavailableError:
            complete = False
            failed.append(store.operations[step])
            assert await acme.versions() == []
            store.fails_at = -1
            await acme.add(data)
        store.fails_at = -1
        assert await acme.versions() == ["1.0.0"]
        assert await registry.bundle(content_hash_of(data)) == data
        if complete:
            break
    # each object is put, and looked for again while nobody can delete it
    assert failed[:2] == ["put zst", "get zst"]
    assert {"size zst", "put json", "put cwasm"} <= set(failed)
    assert failed[-3:] == ["size zst", "size json", "size cwasm"]


async def test_what_was_published_after_a_failure_can_be_run_and_verified(
    faulty: tuple[RegistryUnderTest, FaultyStore],
) -> None:
    registry, store = faulty
    acme = await new_extension(registry)
    data = acme.bundle()
    store.fails_at = 4
    with pytest.raises(BundleStoreUnavailableError):
        await acme.add(data)
    store.fails_at = -1
    await acme.add(data)
    content_hash = content_hash_of(data)
    stored = {key async for key in store.list_keys(f"sha256/{content_hash[7:]}/")}
    assert {_kind(key) for key in stored} == {"zst", "json", "cwasm"}
    [code] = [key for key in stored if key.endswith(".cwasm")]
    sealed = await store.get(code, max_bytes=1 << 30)
    key = ArtefactKey(bytes(range(32)))
    assert key.open(sealed, content_hash=content_hash, fingerprint=code_fingerprint())
