"""Garbage: what no version refers to goes, what one may refer to stays, whoever is faster."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from registry_service.catalog.bundles import Bundles
from registry_service.catalog.garbage import BundleUse, Collected, Garbage
from registry_service.postgres.bundle_references import PostgresBundleReferences
from registry_service.postgres.database import Database, open_database
from shared.bundles.archive import content_hash_of
from shared.bundles.file_store import FileBundleStore
from shared.bundles.layout import bundle_key, compiled_key, signature_key
from shared.clock import SystemClock
from shared.errors import BundleStoreUnavailableError, ForbiddenError
from shared.identifiers import ContentHash
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.tokens.service_token import ServiceRole
from tests.fixtures.postgres import NewDatabase, TestDatabase
from tests.fixtures.publishing import Extension, new_extension
from tests.fixtures.registry import (
    NewRegistryHome,
    RegistryUnderTest,
    bundle_of,
    registry_on,
)


@pytest.fixture
async def database(new_database: NewDatabase) -> TestDatabase:
    """For each test its own: what one leaves behind is another's garbage."""
    return await new_database()


@pytest.fixture
async def registry(
    database: TestDatabase, new_registry_home: NewRegistryHome
) -> AsyncIterator[RegistryUnderTest]:
    """A registry with a bundle directory of its own, so that what is deleted can be counted."""
    async with registry_on(new_registry_home(), database) as running:
        yield running


@pytest.fixture
def store(registry: RegistryUnderTest) -> FileBundleStore:
    return FileBundleStore(root=registry.home.root / "bundles")


@pytest.fixture
async def opened(database: TestDatabase) -> AsyncIterator[Database]:
    async with open_database(
        database.application_dsn, max_connections=4, clock=SystemClock()
    ) as opened:
        yield opened


async def age(database: TestDatabase, content_hash: str, hours: int = 25) -> None:
    """Lets a bundle have been uploaded some time ago."""
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute(
        "update extension_upload set uploaded_at = uploaded_at - $2::interval "
        "where content_hash = $1",
        content_hash, timedelta(hours=hours),
    )  # fmt: skip
    await owner.close()


async def collect(registry: RegistryUnderTest, *, dry_run: bool = False) -> Collected:
    request = pb.CollectGarbageRequest(dry_run=dry_run)
    answer = await registry.call(registry.catalogue.CollectGarbage, request)
    return Collected(answer.objects, answer.bytes)


async def keys(store: FileBundleStore) -> set[str]:
    return {key async for key in store.list_keys("")}


async def test_an_upload_that_nobody_published_goes_after_the_grace_period(
    registry: RegistryUnderTest, store: FileBundleStore, database: TestDatabase
) -> None:
    data = bundle_of(name=f"x{uuid4().hex}")
    content_hash = content_hash_of(data)
    await registry.upload(data)
    assert await collect(registry) == Collected(0, 0)
    await age(database, content_hash)
    assert await collect(registry, dry_run=True) == Collected(1, len(data))
    assert await keys(store) == {bundle_key(content_hash)}
    assert await collect(registry) == Collected(1, len(data))
    assert await keys(store) == set()
    assert await collect(registry) == Collected(0, 0)


async def test_what_a_version_refers_to_stays_however_old(
    registry: RegistryUnderTest, store: FileBundleStore, database: TestDatabase
) -> None:
    acme = await new_extension(registry)
    data = acme.bundle()
    await acme.add(data)
    await age(database, content_hash_of(data), hours=10_000)
    before = await keys(store)
    assert await collect(registry) == Collected(0, 0)
    assert await keys(store) == before
    assert len(before) == 2


async def test_signatures_that_no_version_refers_to_go_and_compiled_code_stays(
    registry: RegistryUnderTest, store: FileBundleStore
) -> None:
    acme = await new_extension(registry)
    data = acme.bundle()
    await acme.add(data)
    content_hash = content_hash_of(data)
    orphan = signature_key(content_hash, hashlib.sha256(b"orphan").hexdigest())
    code = compiled_key(content_hash, "engine-key")
    await store.put_if_absent(orphan, b"orphan")
    await store.put_if_absent(code, b"code")
    before = await keys(store)
    assert await collect(registry) == Collected(1, 6)
    assert await keys(store) == before - {orphan}
    registered = await registry.call(
        registry.catalogue.GetVersion, pb.GetVersionRequest(extension=acme.reference)
    )
    assert registered.version.content_hash == content_hash


async def test_objects_of_before_the_books_were_kept_get_their_grace_period_too(
    registry: RegistryUnderTest, store: FileBundleStore, database: TestDatabase
) -> None:
    data = bundle_of(name=f"x{uuid4().hex}")
    await store.put_if_absent(bundle_key(content_hash_of(data)), data)
    assert await collect(registry) == Collected(0, 0)
    await age(database, content_hash_of(data))
    assert await collect(registry) == Collected(1, len(data))


async def test_what_is_not_ours_is_left_alone(
    registry: RegistryUnderTest, store: FileBundleStore
) -> None:
    strange = {"sha256/readme.txt", f"sha256/{'0' * 63}/x", f"sha256/{'A' * 64}/x", "other/x"}
    for key in strange:
        await store.put_if_absent(key, b"x")
    assert await collect(registry) == Collected(0, 0)
    assert await keys(store) == strange


async def test_sending_a_bundle_again_begins_its_grace_period_anew(
    registry: RegistryUnderTest, store: FileBundleStore, database: TestDatabase
) -> None:
    acme = await new_extension(registry)
    data = acme.bundle()
    await registry.upload(data)
    await age(database, content_hash_of(data))
    assert not (await registry.upload(data)).created
    assert await collect(registry) == Collected(0, 0)
    await acme.add(data, upload=False)
    assert bundle_key(content_hash_of(data)) in await keys(store)


async def test_only_operators_collect(registry: RegistryUnderTest) -> None:
    for role in (ServiceRole.GATEWAY, ServiceRole.RUNNER):
        with pytest.raises(ForbiddenError):
            await registry.call(
                registry.catalogue.CollectGarbage, pb.CollectGarbageRequest(), role=role
            )


async def test_a_bundle_that_is_deleted_under_a_publish_is_there_when_the_version_is(
    registry: RegistryUnderTest, store: FileBundleStore, database: TestDatabase
) -> None:
    """Deletes again and again while the same bundle is being published."""
    acme: Extension = await new_extension(registry)
    data = acme.bundle(version="1.0.*")
    done = asyncio.Event()

    async def deleting() -> None:
        while not done.is_set():
            await age(database, content_hash_of(data), hours=1000)
            await collect(registry)

    collector = asyncio.create_task(deleting())
    published = 0
    for _ in range(5):
        outcome = await asyncio.gather(acme.add(data, version="1.0.*"), return_exceptions=True)
        published += not isinstance(outcome[0], BaseException)
    done.set()
    await collector
    assert published
    assert bundle_key(content_hash_of(data)) in await keys(store)
    assert len(await keys(store)) == 2
    await collect(registry)
    assert len(await keys(store)) == 2


async def test_while_a_bundle_is_being_deleted_its_upload_waits(
    opened: Database, tmp_path: Path
) -> None:
    """The upload must not find the old object there, believe it stored, and lose it then."""
    store = FileBundleStore(root=tmp_path)
    references = PostgresBundleReferences(database=opened)
    data = bundle_of(name=f"x{uuid4().hex}")
    content_hash = content_hash_of(data)
    await store.put_if_absent(bundle_key(content_hash), data)
    entered, may_delete = asyncio.Event(), asyncio.Event()

    async def delete(_: BundleUse) -> None:
        entered.set()
        await may_delete.wait()
        await store.delete(bundle_key(content_hash))

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    deleting = asyncio.create_task(
        references.while_settled(content_hash, delete, grace=timedelta())
    )
    await entered.wait()
    bundles = Bundles(store=store, references=references)
    uploading = asyncio.create_task(bundles.upload(chunks(), declared=None))
    done, _ = await asyncio.wait([uploading], timeout=0.3)
    assert not done
    may_delete.set()
    await deleting
    assert (await uploading).created
    assert await store.get(bundle_key(content_hash), max_bytes=1 << 20) == data


class FailingStore(FileBundleStore):
    """A real store whose deletions fail once."""

    failures = 1

    async def delete(self, key: str) -> None:
        if self.failures:
            self.failures -= 1
            raise BundleStoreUnavailableError
        await super().delete(key)


async def test_an_interrupted_collection_is_finished_by_the_next(
    opened: Database, tmp_path: Path
) -> None:
    store = FailingStore(root=tmp_path)
    references = PostgresBundleReferences(database=opened)
    garbage = Garbage(objects=store, references=references, grace=timedelta())
    content_hash = ContentHash(f"sha256:{hashlib.sha256(uuid4().bytes).hexdigest()}")
    for key in (bundle_key(content_hash), signature_key(content_hash, "0" * 64)):
        await store.put_if_absent(key, b"12345")
    await references.note_upload(content_hash)
    with pytest.raises(BundleStoreUnavailableError):
        await garbage.collect(dry_run=False)
    assert await garbage.collect(dry_run=False) == Collected(2, 10)
    assert await keys(store) == set()
