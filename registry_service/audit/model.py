"""What the audit log holds: who did what to what, in the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.errors import ArgumentInvalidError

MAX_ACTOR: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Something that is done now; it is written in the transaction that does it, or not at all."""

    actor: str
    """From `operator_actor` or `owner_actor`."""
    action: str
    """noun.past_participle, such as "version.published"."""
    about: str
    """A publisher, or "publisher.name"."""
    detail: Mapping[str, str] = field(default_factory=dict)
    """Names and values that the action needs; never a secret or a tenant's data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that was done. Events are never changed and never deleted."""

    number: int
    """Grows with every event."""
    event_id: UUID
    at: datetime
    actor: str
    action: str
    about: str
    detail_json: str


def operator_actor(name: str) -> str:
    """How the log calls an operator, who gives any name.

    Raises:
        ArgumentInvalidError: the name is too long, or steers a terminal.
    """
    if len(name) > MAX_ACTOR or not name.isprintable():
        raise ArgumentInvalidError(
            f"An actor has at most {MAX_ACTOR} printable characters.", what="actor"
        )
    return f"operator:{name.strip()}" if name.strip() else "operator"


def owner_actor(key_id: str) -> str:
    """How the log calls an owner of a publisher, who proved to hold this key."""
    return f"owner:{key_id}"
