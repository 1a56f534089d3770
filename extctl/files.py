"""Files written so that nobody sees half of one, and keys so that only their owner sees them.

Knows nothing of what the files hold.
"""

import os
import tempfile
from pathlib import Path

OWNER_ONLY_FILE = 0o600
OWNER_ONLY_DIRECTORY = 0o700
EVERYONE_READS = 0o644


def make_private_directory(path: Path) -> Path:
    """Makes `path` (and its parents) if it is missing, and takes others' rights to it away."""
    path.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
    path.chmod(OWNER_ONLY_DIRECTORY)
    return path


def create_private_file(path: Path, content: bytes) -> None:
    """Writes a new file that only its owner may read.

    Raises:
        FileExistsError: something is there already, a symbolic link included.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, OWNER_ONLY_FILE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_private_file(path: Path, content: bytes) -> None:
    """Puts `content` at `path` in one step, for its owner's eyes only."""
    _replace(path, content, OWNER_ONLY_FILE)


def replace_public_file(path: Path, content: bytes) -> None:
    """Puts `content` at `path` in one step: readers see the old file or the new one."""
    _replace(path, content, EVERYONE_READS)


def is_private(path: Path) -> bool:
    """Whether nobody but the owner has any right to `path`."""
    return path.stat().st_mode & 0o077 == 0


def _replace(path: Path, content: bytes, mode: int) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(handle, mode)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
