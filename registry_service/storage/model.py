"""The key-value records of an install."""

from dataclasses import dataclass
from typing import Final

from shared.errors import ArgumentInvalidError

MAX_NAMESPACE: Final = 128
MAX_KEY: Final = 256
MAX_VALUE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageLimits:
    """How much one install may keep."""

    total_bytes: int = 256 * 1024 * 1024
    keys_per_namespace: int = 5120
    namespaces: int = 32


@dataclass(frozen=True, slots=True)
class Record:
    """One record; its revision starts at 1 and grows by 1 with each write."""

    namespace: str
    key: str
    value: bytes
    revision: int


def check_namespace(text: str) -> str:
    """Checks a namespace: 1 to 128 characters, none of them a control character.

    Raises:
        ArgumentInvalidError: it is anything else.
    """
    return _checked(text, "namespace", MAX_NAMESPACE)


def check_key(text: str) -> str:
    """Checks a key: 1 to 256 characters, no "/" and no control character.

    Raises:
        ArgumentInvalidError: it is anything else.
    """
    if "/" in text:
        raise ArgumentInvalidError('A storage key has no "/".', what="key")
    return _checked(text, "key", MAX_KEY)


def _checked(text: str, what: str, longest: int) -> str:
    if not 0 < len(text) <= longest:
        raise ArgumentInvalidError(f"A storage {what} has 1 to {longest} characters.", what=what)
    if any(char < " " or "\x7f" <= char <= "\x9f" for char in text):
        raise ArgumentInvalidError(f"A storage {what} has no control characters.", what=what)
    return text
