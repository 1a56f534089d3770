"""Compiled components on disk: only what we wrote ourselves is ever loaded again.

A compiled component is machine code. The name of its file carries an HMAC over its key and its
bytes, so writing the file is one rename, and a file that was changed, cut short or put under
another name does not match it.
"""

import hashlib
import hmac
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from runner_service.engine import CompiledComponent, Engine
from runner_service.metrics import CacheMetrics
from shared.errors import InternalError
from shared.identifiers import ContentHash

_SUFFIX: Final = ".compiled"
_MAC_HEX: Final = 64

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Artefact:
    """A component that can run, and how many bytes of machine code it has."""

    component: CompiledComponent
    size_bytes: int


class Artefacts:
    """A directory of compiled components, kept below a size. All methods block on the disk."""

    def __init__(
        self, *, root: Path, mac_key: bytes, engine: Engine, max_bytes: int, metrics: CacheMetrics
    ) -> None:
        """`root` and `mac_key` are what `open_cache_directory` checked and gave."""
        self._root = root
        self._mac_key = mac_key
        self._engine = engine
        self._max_bytes = max_bytes
        self._metrics = metrics

    def load(self, content_hash: ContentHash) -> Artefact | None:
        """The compiled form of this bundle's component, if we have it unchanged."""
        key = self._key_of(content_hash)
        for path in self._root.glob(f"{key}.*{_SUFFIX}"):
            artefact = self._load(path, key)
            if artefact is not None:
                return artefact
            self._metrics.corrupt()
            _log.error("compiled component was changed; removed", content_hash=content_hash)
            path.unlink(missing_ok=True)
        return None

    def keep(self, content_hash: ContentHash, code: bytes) -> Artefact:
        """Loads code that was just compiled, and keeps it.

        A full disk costs the copy, not the call.

        Raises:
            InternalError: it is not this engine's code.
            ComponentInvalidError: it is not of this world.
        """
        component = self._engine.load_code(code)
        try:
            self._write(self._key_of(content_hash), code)
        except OSError as error:
            _log.error("compiled component not kept", error=error.strerror)
        return Artefact(component, len(code))

    def _write(self, key: str, code: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=".draft-", dir=self._root)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(code)
                stream.flush()
                os.fsync(handle)
            draft.rename(self._root / f"{key}.{self._mac_of(key, code)}{_SUFFIX}")
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self._make_room()

    def _load(self, path: Path, key: str) -> Artefact | None:
        """Checks and loads one file through one descriptor, so that both see the same bytes."""
        mac = path.name.removeprefix(f"{key}.").removesuffix(_SUFFIX)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                return None
            if len(mac) != _MAC_HEX or not hmac.compare_digest(
                mac, self._mac_of_file(key, descriptor)
            ):
                return None
            os.utime(descriptor)
            component = self._engine.load(Path(f"/proc/self/fd/{descriptor}"))
        except (OSError, InternalError):
            return None
        else:
            return Artefact(component, found.st_size)
        finally:
            os.close(descriptor)

    def _key_of(self, content_hash: ContentHash) -> str:
        text = f"{content_hash}\n{self._engine.fingerprint}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _mac_of(self, key: str, code: bytes) -> str:
        mac = hmac.new(self._mac_key, key.encode(), "sha256")
        mac.update(code)
        return mac.hexdigest()

    def _mac_of_file(self, key: str, descriptor: int) -> str:
        mac = hmac.new(self._mac_key, key.encode(), "sha256")
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            stream.seek(0)
            while chunk := stream.read(1024 * 1024):
                mac.update(chunk)
        return mac.hexdigest()

    def _make_room(self) -> None:
        """Removes what was used longest ago; who runs a removed file keeps it mapped."""
        files = [(path.stat(), path) for path in self._root.glob(f"*{_SUFFIX}")]
        total = sum(found.st_size for found, _ in files)
        for found, path in sorted(files, key=lambda pair: pair[0].st_mtime_ns):
            if total <= self._max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= found.st_size
        self._metrics.kept("disk", total)
