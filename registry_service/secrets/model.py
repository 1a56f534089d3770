"""The secrets of an install, open and sealed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.errors import ArgumentInvalidError
from shared.identifiers import InstallId, TenantId
from shared.secret import Secret

MAX_VALUE_BYTES: Final = 16 * 1024
MAX_AT_ONCE: Final = 64
MAX_OF_INSTALL: Final = 256
_KEY = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretWrite:
    """A secret that a person sets."""

    key: str
    value: Secret
    expires_at: datetime | None
    """None: it does not expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretInfo:
    """What may be told of a secret."""

    key: str
    version: int
    """Grows by one each time it is set."""
    updated_at: datetime
    expires_at: datetime | None
    updated_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """The one place in which a sealed secret can be opened again."""

    tenant_id: TenantId
    install_id: InstallId
    key: str
    version: int

    def associated_data(self) -> bytes:
        """What is authenticated with the ciphertext: moved anywhere else, it does not open."""
        place = f"{self.tenant_id}|{self.install_id}|{self.key}|{self.version}"
        return f"extension-secret|1|{place}".encode()  # no part of it has a "|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A secret that only its backend can open."""

    algorithm: str
    """Which backend: `aes-256-gcm` or `vault-transit`."""
    key_id: str
    """Which of the backend's keys; enough to tell whether a newer one is to be used."""
    ciphertext: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """A row."""

    place: SecretPlace
    sealed: Sealed
    expires_at: datetime | None


def is_secret_key(text: str) -> bool:
    """Whether a secret can have this name: 1 to 128 letters, digits, dots, `_` and `-`."""
    return _KEY.fullmatch(text) is not None


def check_writes(writes: Sequence[SecretWrite], *, now: datetime) -> None:
    """Checks what is to be set: how many, each name once, sizes, and that none has expired.

    Raises:
        ArgumentInvalidError: one breaks a rule; the message says which by number, and holds
            neither a name (it may be a value, put in the wrong place) nor a value.
    """
    if not 0 < len(writes) <= MAX_AT_ONCE:
        raise ArgumentInvalidError(f"1 to {MAX_AT_ONCE} secrets are set at once.", what="secrets")
    for number, write in enumerate(writes):
        where = f"secrets[{number}]"
        if not is_secret_key(write.key):
            raise ArgumentInvalidError(
                f"{where}: a secret's key is 1 to 128 of A-Z a-z 0-9 . _ -", what=f"{where}.key"
            )
        if not 0 < len(write.value.reveal().encode()) <= MAX_VALUE_BYTES:
            raise ArgumentInvalidError(
                f"{where}: a secret has 1 to {MAX_VALUE_BYTES} bytes of UTF-8.",
                what=f"{where}.value",
            )
        if write.expires_at is not None and write.expires_at <= now:
            raise ArgumentInvalidError(
                f"{where}: its expiry is over already.", what=f"{where}.expires_at"
            )
    if len({write.key for write in writes}) != len(writes):
        raise ArgumentInvalidError("Each key is set once.", what="secrets")
