"""Keys in a file.

The file is JSON: `{"keys": [{"id": "2026-01", "key": "<32 bytes in base64>"}, …]}`. The first key
seals, all of them open; so keys are replaced without a pause: add the new one at the end
everywhere, then make it the first, seal anew (`python -m registry_service reseal`), and only then
take the old one away. A change of the file is noticed within seconds.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.clock import Clock
from shared.strict_json import JsonInvalidError, parse_json

MAX_FILE_BYTES: Final = 64 * 1024
MAX_KEYS: Final = 64
KEY_BYTES: Final = 32
_CHECK_SECONDS: Final = 5.0
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

_log = structlog.get_logger(__name__)


class Keyring:
    """Keys by id; the first one is current. Its `repr` shows ids only."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current_id = next(iter(keys))

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @classmethod
    def parse(cls, text: bytes) -> "Keyring":
        """Reads a keyring file.

        Raises:
            ValueError: it is none; the message says what is wrong and repeats nothing of it.
        """
        try:
            document = parse_json(text, max_bytes=MAX_FILE_BYTES)
        except JsonInvalidError as error:
            # its text may quote the file, its code does not
            raise ValueError(f"it cannot be read as JSON ({error.code})") from None
        entries = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(entries, list) or not 0 < len(entries) <= MAX_KEYS:
            raise ValueError(f'it is no object whose "keys" has 1 to {MAX_KEYS} keys')
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(entries):
            key_id, key = _entry(entry, f"keys[{number}]")
            if key_id in keys or key in keys.values():
                raise ValueError(f"keys[{number}] is there twice, by its id or by its key")
            keys[key_id] = key
        return cls(keys)

    def get(self, key_id: str) -> AESGCM | None:
        """The key, if it is there."""
        return self._keys.get(key_id)


class KeyringFile:
    """The keyring as its file is now; a file that turns bad keeps what was last good."""

    def __init__(self, *, path: Path, clock: Clock) -> None:
        """Reads the file for the first time.

        Raises:
            OSError, ValueError: it cannot be read, or is no keyring.
        """
        self._path = path
        self._clock = clock
        self._text = _read(path)
        self._keyring = Keyring.parse(self._text)
        self._checked_at = clock.monotonic()

    def current(self) -> Keyring:
        """The last good keyring. Reads a small file at most once in five seconds."""
        if self._clock.monotonic() - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = self._clock.monotonic()
            self._reload()
        return self._keyring

    def _reload(self) -> None:
        try:
            text = _read(self._path)
            if text != self._text:
                self._keyring = Keyring.parse(text)
                self._text = text
                _log.info("keyring read again", current=self._keyring.current_id)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            _log.error("the keyring file turned bad; the last good one is used", why=why)


def _entry(entry: object, where: str) -> tuple[str, bytes]:
    match entry:
        case {"id": str(key_id), "key": str(text), **more} if not more:
            pass
        case _:
            raise ValueError(f'{where} is no object with "id" and "key" alone')
    if not _ID.fullmatch(key_id):
        raise ValueError(f"{where}.id is not 1 to 64 of A-Z a-z 0-9 . _ -")
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{where}.key is not {KEY_BYTES} bytes in base64")
    return key_id, key


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAX_FILE_BYTES + 1)
