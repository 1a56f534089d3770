"""The directory store where disks and neighbours misbehave."""

import os
from pathlib import Path

import pytest

from shared.bundles.file_store import FileBundleStore
from shared.bundles.open_store import open_bundle_store
from shared.bundles.s3_client import S3Credentials
from shared.errors import (
    ArgumentInvalidError,
    BundleNotFoundError,
    BundleStoreUnavailableError,
)

KEY = "sha256/abc/bundle.tar.zst"


@pytest.fixture
def store(tmp_path: Path) -> FileBundleStore:
    return FileBundleStore(root=tmp_path)


async def test_a_missing_directory_is_told_without_its_path(tmp_path: Path) -> None:
    store = FileBundleStore(root=tmp_path / "gone")
    for call in (store.check(), store.put_if_absent(KEY, b"")):
        with pytest.raises(BundleStoreUnavailableError) as caught:
            await call
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(BundleStoreUnavailableError):
        _ = [key async for key in store.list_keys("")]


async def test_no_temporary_file_is_left_or_listed(store: FileBundleStore, tmp_path: Path) -> None:
    await store.put_if_absent(KEY, b"first")
    await store.put_if_absent(KEY, b"second")
    assert os.listdir(tmp_path / "sha256" / "abc") == ["bundle.tar.zst"]  # noqa: PTH208 - no stat
    (tmp_path / "sha256" / "abc" / ".put-crashed").write_bytes(b"half")
    assert [key async for key in store.list_keys("")] == [KEY]


async def test_a_symlink_is_not_followed(store: FileBundleStore, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "sha256").mkdir()
    (tmp_path / "sha256" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(BundleStoreUnavailableError):
        await store.get("sha256/link", max_bytes=100)


async def test_a_key_below_an_object_is_refused(store: FileBundleStore) -> None:
    await store.put_if_absent("a", b"")
    with pytest.raises(ArgumentInvalidError, match="is an object itself"):
        await store.put_if_absent("a/b", b"")
    with pytest.raises(BundleNotFoundError):
        await store.get("a/b", max_bytes=1)
    assert await store.size("a/b") is None
    await store.delete("a/b")


async def test_a_directory_is_no_object(store: FileBundleStore) -> None:
    await store.put_if_absent("a/b", b"")
    with pytest.raises(BundleNotFoundError):
        await store.get("a", max_bytes=1)
    assert await store.size("a") is None
    await store.delete("a")
    assert await store.size("a/b") == 0


async def test_a_file_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleStoreUnavailableError):
        await FileBundleStore(root=tmp_path / "file").check()


REFUSED_URLS = [
    "",
    "bundles",
    "/var/bundles",
    "ftp://host/x",
    "file://host/x",
    "file:relative",
    "file:///x?y=1",
    "s3:///prefix",
    "s3://user:secret@bucket/x",
    "s3://bucket/../x",
    "s3://bucket/x#fragment",
    "s3://bucket?unknown=1",
    "s3://bucket?region",
    "s3://bucket?region=a&region=b",
    "s3://bucket?endpoint=ftp://x",
    "s3://bucket?endpoint=http://user:secret@host",
    "s3://[broken",
]


@pytest.mark.parametrize("url", REFUSED_URLS)
async def test_a_malformed_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ArgumentInvalidError) as caught:
        async with open_bundle_store(url, s3=S3Credentials("id", "secret")):
            pass
    assert "secret" not in str(caught.value)


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleStoreUnavailableError, match="cannot be made"):
        async with open_bundle_store(f"file://{tmp_path}/a/b", s3=None):
            pass
