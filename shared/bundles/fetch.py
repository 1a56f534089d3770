"""Getting a bundle out of a store, and parts out of a bundle.

No store is trusted: the hash is checked over the same buffer that is then used.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.bundles.archive import content_hash_of
from shared.bundles.entry_path import PathSet
from shared.bundles.layout import DEFAULT_LIMITS, BundleLimits, bundle_key
from shared.bundles.store import BundleStore
from shared.errors import ContentHashMismatchError
from shared.identifiers import ContentHash

_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file inside a bundle; `sha256` is lowercase hex."""

    path: str
    size_bytes: int
    sha256: str


async def fetch_bundle(
    store: BundleStore, content_hash: ContentHash, *, limits: BundleLimits = DEFAULT_LIMITS
) -> bytes:
    """The packed bundle that the content hash names, checked.

    Raises:
        BundleNotFoundError: the store has none.
        BundleTooLargeError: it is larger than `limits.packed_bytes`.
        ContentHashMismatchError: the stored bytes are others.
        BundleStoreUnavailableError: the store failed.
    """
    data = await store.get(bundle_key(content_hash), max_bytes=limits.packed_bytes)
    if content_hash_of(data) != content_hash:
        raise ContentHashMismatchError(
            "The stored bundle does not have the content hash it is stored under; it was damaged "
            "or replaced. Publish it again under the same hash, or restore the store.",
            content_hash=content_hash,
        )
    return data


async def bundle_stream(
    store: BundleStore,
    content_hash: ContentHash,
    *,
    limits: BundleLimits = DEFAULT_LIMITS,
    chunk_bytes: int = _CHUNK_BYTES,
) -> AsyncIterator[bytes]:
    """The packed bundle in chunks; the whole is checked before the first one is handed out.

    Raises: as `fetch_bundle`.
    """
    data = await fetch_bundle(store, content_hash, limits=limits)
    for start in range(0, len(data), chunk_bytes):
        yield data[start : start + chunk_bytes]


def bundle_index(files: Mapping[str, bytes]) -> list[BundleFile]:
    """What is in a bundle, sorted by path."""
    return [
        BundleFile(path, len(files[path]), hashlib.sha256(files[path]).hexdigest())
        for path in sorted(files)
    ]


def extract_subtree(files: Mapping[str, bytes], prefix: str, into: Path) -> None:
    """Writes the files below `prefix` to the new directory `into`, without the prefix.

    `into` appears with all its files, read-only, or not at all: they are written to a fresh
    directory beside it that nobody else can enter, which is then renamed.

    Args:
        files: contents by path, from `read_bundle`.
        prefix: such as `ui/`; empty takes everything.
        into: must not exist; its parent must.

    Raises:
        BundleInvalidError: a path is not allowed in a bundle.
        FileExistsError: `into` exists already.
        OSError: the disk failed.
    """
    paths = PathSet(DEFAULT_LIMITS)
    fresh = Path(tempfile.mkdtemp(prefix=".extract-", dir=into.parent))
    try:
        for path in sorted(files):
            relative = path.removeprefix(prefix)
            if not path.startswith(prefix) or not relative:
                continue
            paths.add(relative, is_directory=False)
            target = fresh / relative
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_new(target, files[path])
        for directory, _, _ in os.walk(fresh, topdown=False):
            Path(directory).chmod(0o555)
        _rename_to_new(fresh, into)
    except BaseException:
        for directory, _, _ in os.walk(fresh):
            Path(directory).chmod(0o700)
        shutil.rmtree(fresh)
        raise


def _rename_to_new(fresh: Path, into: Path) -> None:
    if into.is_symlink() or into.exists():  # rename(2) would replace an empty directory
        raise FileExistsError(f"{into.name} exists already")
    fresh.rename(into)


def _write_new(target: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(target, flags, 0o444), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
