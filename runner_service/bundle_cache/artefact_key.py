"""The directory of compiled components, and the key that marks them as ours."""

import os
import secrets
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32
_KEY_NAME: Final = "mac.key"


class CacheDirectoryError(Exception):
    """The cache directory cannot be used; the message says why and what to do."""


def open_cache_directory(path: Path) -> bytes:
    """Makes the directory and its key when they are missing, and gives the key.

    What lies here is run as machine code, so nobody else may be able to write it.

    Raises:
        CacheDirectoryError: someone else can, or the disk failed.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_ours(path, stat.S_ISDIR, "directory")
        key_path = path / _KEY_NAME
        if not key_path.exists():
            _make_key(key_path)
        _require_ours(key_path, stat.S_ISREG, "file")
        key = key_path.read_bytes()
    except OSError as error:
        raise CacheDirectoryError(f"{path} cannot be used: {error.strerror}.") from None
    if len(key) != KEY_BYTES:
        raise CacheDirectoryError(f"{key_path} is damaged: remove it, and a new one is made.")
    return key


def _require_ours(path: Path, is_kind: Callable[[int], bool], kind: str) -> None:
    found = path.lstat()
    if not is_kind(found.st_mode):
        raise CacheDirectoryError(f"{path} is not a {kind}: remove it.")
    if found.st_uid != os.geteuid():
        raise CacheDirectoryError(f"{path} belongs to another user: choose another cache.")
    if found.st_mode & 0o077:
        raise CacheDirectoryError(f"{path} is open to other users: run chmod go-rwx on it.")


def _make_key(path: Path) -> None:
    # Linked into place: of several runners that start at once, one makes the key for all.
    handle, draft = tempfile.mkstemp(prefix=".key-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        Path(draft).unlink()
