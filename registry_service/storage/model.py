"""The key-value records of an install."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.errors import ArgumentInvalidError

MAX_NAMESPACE: Final = 128
MAX_KEY: Final = 256
MAX_VALUE_BYTES: Final = 64 * 1024
MAX_BATCH: Final = 20
MAX_BATCH_BYTES: Final = 512 * 1024
SHORTEST_TTL_SECONDS: Final = 60
LONGEST_TTL_SECONDS: Final = 30 * 24 * 3600


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
    expires_at: datetime | None = None
    """None: it does not expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWrite:
    """What to write under a key."""

    key: str
    value: bytes
    if_revision: int | None = None
    """The revision that must be stored now; 0 means none, None means any."""
    ttl_seconds: int | None = None
    """None lets it live; a write always decides anew."""


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


def check_key_prefix(text: str) -> str:
    """Checks the beginning of keys: like a key, but it may be empty.

    Raises:
        ArgumentInvalidError: no key can begin so.
    """
    return check_key(text) if text else ""


def check_writes(writes: list[RecordWrite]) -> list[RecordWrite]:
    """Checks writes that belong together: 1 to 20, each key once, 512 KiB together.

    Raises:
        ArgumentInvalidError: there are too many or too large ones, or one breaks a rule.
    """
    if not 0 < len(writes) <= MAX_BATCH:
        raise ArgumentInvalidError(f"A batch has 1 to {MAX_BATCH} writes.", what="writes")
    if sum(len(write.value) for write in writes) > MAX_BATCH_BYTES:
        raise ArgumentInvalidError(
            f"A batch has at most {MAX_BATCH_BYTES} bytes of values.", what="writes"
        )
    for write in writes:
        check_write(write)
    if len({write.key for write in writes}) != len(writes):
        raise ArgumentInvalidError("A batch writes each key once.", what="writes")
    return writes


def check_write(write: RecordWrite) -> RecordWrite:
    """Checks a write: the key's grammar, the value's size, the time to live.

    Raises:
        ArgumentInvalidError: one of them breaks its rule.
    """
    check_key(write.key)
    if len(write.value) > MAX_VALUE_BYTES:
        raise ArgumentInvalidError(f"A value has at most {MAX_VALUE_BYTES} bytes.", what="value")
    ttl = write.ttl_seconds
    if ttl is not None and not SHORTEST_TTL_SECONDS <= ttl <= LONGEST_TTL_SECONDS:
        raise ArgumentInvalidError(
            f"A record lives {SHORTEST_TTL_SECONDS} to {LONGEST_TTL_SECONDS} seconds (30 days), "
            "or with ttl_seconds 0 until it is removed.",
            what="ttl_seconds",
        )
    return write


def _checked(text: str, what: str, longest: int) -> str:
    if not 0 < len(text) <= longest:
        raise ArgumentInvalidError(f"A storage {what} has 1 to {longest} characters.", what=what)
    if any(char < " " or "\x7f" <= char <= "\x9f" for char in text):
        raise ArgumentInvalidError(f"A storage {what} has no control characters.", what=what)
    return text
