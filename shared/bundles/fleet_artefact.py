"""Machine code that the platform compiled for its own runners, kept beside the bundle.

Nobody but the fleet has the key. The object is a MAC over everything that decides whether the code
may run (which bundle, which engine, the bytes), and then the code: a store that changes, swaps or
invents an object gives one that is not taken.
"""

import hashlib
import hmac
import stat
from pathlib import Path
from typing import Final

from shared.bundles.layout import compiled_key
from shared.identifiers import ContentHash

KEY_BYTES: Final = 32
_MAC_BYTES: Final = 32
_KEY_ID_LENGTH: Final = 16


class ArtefactKey:
    """The fleet's key, and what can be done with it."""

    def __init__(self, key: bytes) -> None:
        """Takes 32 bytes.

        Raises:
            ValueError: there are more or fewer.
        """
        if len(key) != KEY_BYTES:
            raise ValueError(f"it has {len(key)} bytes instead of {KEY_BYTES}")
        self._key = key
        self._key_id = hmac.new(key, b"id", "sha256").hexdigest()[:_KEY_ID_LENGTH]

    def __repr__(self) -> str:
        return f"ArtefactKey({self._key_id})"

    @classmethod
    def from_file(cls, path: Path) -> "ArtefactKey":
        """Reads a file of 32 bytes, which others must not be able to read.

        Raises:
            ValueError: others are, or it is no key.
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            key = file.read(KEY_BYTES + 1)
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise ValueError("other users may read it: run chmod go-rwx on it")
        return cls(key)

    def object_key(self, content_hash: ContentHash, fingerprint: str) -> str:
        """Where the code of a bundle lies, for engines with this fingerprint."""
        engine = hashlib.sha256(fingerprint.encode()).hexdigest()[:32]
        return compiled_key(content_hash, f"{engine}-{self._key_id}")

    def seal(self, code: bytes, *, content_hash: ContentHash, fingerprint: str) -> bytes:
        """The object that holds `code`."""
        return self._mac(code, content_hash, fingerprint) + code

    def open(self, sealed: bytes, *, content_hash: ContentHash, fingerprint: str) -> bytes | None:
        """The code that an object holds, or None when the fleet did not seal this."""
        mac, code = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        genuine = hmac.compare_digest(mac, self._mac(code, content_hash, fingerprint))
        return code if genuine else None

    def _mac(self, code: bytes, content_hash: ContentHash, fingerprint: str) -> bytes:
        about = f"artefact\n{content_hash}\n{fingerprint}\n".encode()
        mac = hmac.new(self._key, about, "sha256")
        mac.update(code)
        return mac.digest()
