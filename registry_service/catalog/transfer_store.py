"""Where offers of extensions lie: the port."""

from datetime import datetime
from typing import Protocol

from registry_service.catalog.model import RegistryEntry
from shared.identifiers import RegistryId


class TransferStore(Protocol):
    """Offers, and what becomes of them. Every method may raise RegistryUnavailableError."""

    async def offer(
        self, entry: RegistryEntry, to_publisher: str, *, by: str, expires_at: datetime
    ) -> None:
        """Writes the offer, in the place of any other of this entry.

        Args:
            entry: what is offered, as it was found.
            to_publisher: to whom.
            by: the key id of the owner who offers it.
            expires_at: until when it can be taken.

        Raises:
            PublisherNotOwnedError: the entry changed hands, or the owner is none any more.
        """
        ...

    async def accept(
        self, registry_id: RegistryId, to_publisher: str, *, by: str, now: datetime
    ) -> RegistryEntry:
        """Moves the entry to the publisher that it was offered to; gives it as it is then.

        Raises:
            TransferNotFoundError: it was not offered to them, or the offer is over.
            RegistryEntryExistsError: they have an extension of that name.
            PublisherNotOwnedError: `by` is no owner of theirs any more.
        """
        ...
