"""What is known of a publisher: its name, and the keys of those who own it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.tokens.keys import PublicKey

MAX_OWNERS: Final = 32


@dataclass(frozen=True, slots=True)
class PublisherOwner:
    """An owner: whoever holds the private half of the key."""

    key: PublicKey
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Publisher:
    """A name in front of extensions, with its owners; there is always one at least."""

    publisher: str
    owners: tuple[PublisherOwner, ...]
    created_at: datetime

    def owner(self, key_id: str) -> PublisherOwner | None:
        """The owner with this key."""
        return next((owner for owner in self.owners if owner.key.key_id == key_id), None)
