"""Bundles in a directory: the embedded default.

A write is a temporary file, fsync, then link(2), which fails if the name exists: that is the
put-if-absent. The directories are synced too, so that an acknowledged object outlives a crash.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from shared.bundles.layout import parse_key
from shared.errors import (
    ArgumentInvalidError,
    BundleNotFoundError,
    BundleStoreUnavailableError,
    BundleTooLargeError,
)

_TEMPORARY_PREFIX: Final = ".put-"  # no key segment starts with a dot


class FileBundleStore:
    """A `BundleStore` below one directory. Safe to share between processes."""

    def __init__(self, *, root: Path) -> None:
        self._root = root

    async def put_if_absent(self, key: str, data: bytes) -> bool:
        """See `BundleStore.put_if_absent`."""
        return await asyncio.to_thread(self._put, self._path(key), data)

    async def get(self, key: str, *, max_bytes: int) -> bytes:
        """See `BundleStore.get`."""
        return await asyncio.to_thread(self._read, self._path(key), max_bytes)

    async def size(self, key: str) -> int | None:
        """See `BundleStore.size`."""
        return await asyncio.to_thread(self._size, self._path(key))

    async def delete(self, key: str) -> None:
        """See `BundleStore.delete`."""
        await asyncio.to_thread(self._delete, self._path(key))

    async def list_keys(self, prefix: str) -> AsyncIterator[str]:
        """See `BundleStore.list_keys`."""
        for key in await asyncio.to_thread(self._keys, prefix):
            yield key

    async def check(self) -> None:
        """See `BundleStore.check`."""
        await asyncio.to_thread(self._check)

    def _path(self, key: str) -> Path:
        return self._root / parse_key(key)

    def _put(self, path: Path, data: bytes) -> bool:
        try:
            self._make_directories(path.parent)
            file, name = tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, dir=path.parent)
            try:
                with os.fdopen(file, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(file)
                os.link(name, path)
                stored = True
            except FileExistsError:
                stored = False
            finally:
                Path(name).unlink()
            _sync_directory(path.parent)  # the winner may not have come to it yet
        except (FileExistsError, NotADirectoryError):
            raise ArgumentInvalidError(
                "A part of the object's key is an object itself.", what="key"
            ) from None
        except OSError as error:
            raise _unavailable(error) from None
        return stored

    def _make_directories(self, directory: Path) -> None:
        """Makes what is missing below the root, which itself must exist, and syncs each."""
        if directory.is_dir():
            return
        if directory != self._root:
            self._make_directories(directory.parent)
            directory.mkdir(mode=0o755, exist_ok=True)
            _sync_directory(directory.parent)

    def _read(self, path: Path, max_bytes: int) -> bytes:
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(file, "rb") as stream:
                data = stream.read(max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise BundleNotFoundError from None
        except OSError as error:
            raise _unavailable(error) from None
        if len(data) > max_bytes:
            raise BundleTooLargeError(f"The stored object is larger than {max_bytes} B.")
        return data

    def _size(self, path: Path) -> int | None:
        try:
            return path.stat(follow_symlinks=False).st_size if path.is_file() else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(error) from None

    def _delete(self, path: Path) -> None:
        try:
            path.unlink()
            _sync_directory(path.parent)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
        except OSError as error:
            raise _unavailable(error) from None

    def _keys(self, prefix: str) -> list[str]:
        keys: list[str] = []
        folder = prefix.rpartition("/")[0]
        try:
            start = self._path(folder) if folder else self._root
        except ArgumentInvalidError:
            return []  # no key can start like this

        def refuse(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # a directory may go while we walk
                raise _unavailable(error)

        self._check()
        for directory, _, names in os.walk(start, onerror=refuse):
            relative = Path(directory).relative_to(self._root)
            keys += [
                (relative / name).as_posix()
                for name in names
                if not name.startswith(_TEMPORARY_PREFIX)
            ]
        return [key for key in keys if key.startswith(prefix)]

    def _check(self) -> None:
        try:
            with os.scandir(self._root) as entries:
                next(entries, None)
        except OSError as error:
            raise _unavailable(error) from None


def _sync_directory(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _unavailable(error: OSError) -> BundleStoreUnavailableError:
    # the message carries no path: it may reach a caller who must not learn the host's layout
    return BundleStoreUnavailableError(f"The bundle directory failed: {error.strerror}.")
