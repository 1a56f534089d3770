"""What every `BundleStore` promises, run on each of them, the S3 one against a real server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bundles.archive import content_hash_of, pack
from shared.bundles.fetch import bundle_stream, fetch_bundle
from shared.bundles.layout import BundleLimits, bundle_key
from shared.bundles.open_store import open_bundle_store
from shared.bundles.store import BundleStore
from shared.errors import (
    ArgumentInvalidError,
    BundleNotFoundError,
    BundleTooLargeError,
    ContentHashMismatchError,
)
from tests.fixtures.s3 import S3Server

KEY = "sha256/abc/bundle.tar.zst"
LIMIT = 1024 * 1024


@pytest.fixture(params=["file", "s3", "s3-with-prefix"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BundleStore]:
    if request.param == "file":
        async with open_bundle_store(f"file://{tmp_path}/bundles", s3=None) as opened:
            yield opened
    else:
        server = request.getfixturevalue("s3_server")
        assert isinstance(server, S3Server)
        prefix = "a/b" if request.param == "s3-with-prefix" else ""
        url = server.url(await server.new_bucket(), prefix)
        async with open_bundle_store(url, s3=server.credentials) as opened:
            yield opened


async def keys(store: BundleStore, prefix: str = "") -> list[str]:
    return sorted([key async for key in store.list_keys(prefix)])


async def test_what_was_put_is_there(store: BundleStore) -> None:
    await store.check()
    assert await store.put_if_absent(KEY, b"content") is True
    assert await store.get(KEY, max_bytes=7) == b"content"
    assert await store.size(KEY) == 7


async def test_an_empty_object_is_an_object(store: BundleStore) -> None:
    assert await store.put_if_absent(KEY, b"")
    assert await store.get(KEY, max_bytes=0) == b""
    assert await store.size(KEY) == 0


async def test_what_was_never_put_is_missing(store: BundleStore) -> None:
    with pytest.raises(BundleNotFoundError):
        await store.get(KEY, max_bytes=LIMIT)
    assert await store.size(KEY) is None
    await store.delete(KEY)
    assert await keys(store) == []


async def test_a_second_put_changes_nothing(store: BundleStore) -> None:
    assert await store.put_if_absent(KEY, b"first")
    assert await store.put_if_absent(KEY, b"second") is False
    assert await store.get(KEY, max_bytes=LIMIT) == b"first"


async def test_of_eight_writers_one_wins(store: BundleStore) -> None:
    for round_number in range(2):
        key = f"sha256/{round_number}/bundle.tar.zst"
        contents = [b"writer %d" % number * 1000 for number in range(8)]
        won = await asyncio.gather(*(store.put_if_absent(key, content) for content in contents))
        assert won.count(True) == 1
        assert await store.get(key, max_bytes=LIMIT) == contents[won.index(True)]


async def test_an_object_over_the_callers_limit_is_refused(store: BundleStore) -> None:
    await store.put_if_absent(KEY, b"12345678")
    assert await store.get(KEY, max_bytes=8) == b"12345678"
    with pytest.raises(BundleTooLargeError):
        await store.get(KEY, max_bytes=7)
    assert await store.get(KEY, max_bytes=8) == b"12345678"


async def test_a_large_object_comes_back_whole(store: BundleStore) -> None:
    content = bytes(range(256)) * 4096 * 5
    await store.put_if_absent(KEY, content)
    assert await store.get(KEY, max_bytes=len(content)) == content


async def test_what_was_deleted_can_be_put_again(store: BundleStore) -> None:
    await store.put_if_absent(KEY, b"first")
    await store.delete(KEY)
    await store.delete(KEY)
    assert await store.size(KEY) is None
    assert await store.put_if_absent(KEY, b"second")
    assert await store.get(KEY, max_bytes=LIMIT) == b"second"


async def test_keys_are_listed_by_any_prefix(store: BundleStore) -> None:
    given = ["sha256/a/x", "sha256/a/y", "sha256/a-b/x", "sha256/ab/x", "sha256/b/x", "other"]
    for key in given:
        await store.put_if_absent(key, b"")
    assert await keys(store) == sorted(given)
    assert await keys(store, "sha256/a") == sorted(key for key in given if "/a" in key)
    assert await keys(store, "sha256/a/") == ["sha256/a/x", "sha256/a/y"]
    assert await keys(store, "sha256/a/y") == ["sha256/a/y"]
    assert await keys(store, "sha256/c/") == []
    assert await keys(store, "../") == []


async def test_more_keys_than_a_page_are_all_listed(store: BundleStore) -> None:
    wanted = [f"sha256/{number:04d}" for number in range(1003)]
    for start in range(0, len(wanted), 50):
        await asyncio.gather(*(store.put_if_absent(key, b"") for key in wanted[start : start + 50]))
    assert await keys(store, "sha256/") == wanted


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../../x", ".put-x", "a b", "a\n"])
async def test_a_malformed_key_is_refused_by_every_method(store: BundleStore, key: str) -> None:
    with pytest.raises(ArgumentInvalidError):
        await store.put_if_absent(key, b"")
    with pytest.raises(ArgumentInvalidError):
        await store.get(key, max_bytes=LIMIT)
    with pytest.raises(ArgumentInvalidError):
        await store.size(key)
    with pytest.raises(ArgumentInvalidError):
        await store.delete(key)


async def test_a_bundle_is_fetched_and_streamed_whole(store: BundleStore) -> None:
    data = pack({"manifest.json": b"{}"})
    content_hash = content_hash_of(data)
    await store.put_if_absent(bundle_key(content_hash), data)
    assert await fetch_bundle(store, content_hash) == data
    chunks = [chunk async for chunk in bundle_stream(store, content_hash, chunk_bytes=10)]
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) == 10


async def test_other_bytes_under_a_content_hash_are_never_handed_out(store: BundleStore) -> None:
    content_hash = content_hash_of(b"the real bundle")
    await store.put_if_absent(bundle_key(content_hash), b"the evil bundle")
    with pytest.raises(ContentHashMismatchError):
        await fetch_bundle(store, content_hash)
    seen: list[bytes] = []

    async def read() -> None:
        async for chunk in bundle_stream(store, content_hash, chunk_bytes=1):
            seen.append(chunk)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ContentHashMismatchError):
        await read()
    assert seen == []


async def test_a_bundle_over_the_limit_is_not_fetched(store: BundleStore) -> None:
    content_hash = content_hash_of(b"12345678")
    await store.put_if_absent(bundle_key(content_hash), b"12345678")
    with pytest.raises(BundleTooLargeError):
        await fetch_bundle(store, content_hash, limits=BundleLimits(packed_bytes=7))
