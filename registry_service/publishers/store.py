"""Where publishers lie: the port."""

from datetime import datetime
from typing import Protocol

from registry_service.publishers.model import Publisher
from shared.tokens.keys import PublicKey
from shared.tokens.publisher_proof import PublisherProof


class PublisherStore(Protocol):
    """Publishers and their owners. Every method may raise RegistryUnavailableError.

    Changes of owners are made one after the other, each judged by what the one before left.
    """

    async def create(self, publisher: str, owner: PublicKey, *, actor: str) -> Publisher:
        """Adds a publisher with its first owner.

        Raises:
            PublisherExistsError: the name is taken.
        """
        ...

    async def find(self, publisher: str) -> Publisher | None:
        """The publisher, or None."""
        ...

    async def add_owner(self, publisher: str, owner: PublicKey, *, by: str) -> Publisher:
        """Adds an owner, unless it is one already.

        Args:
            publisher: whose.
            owner: the new one.
            by: the key id of the owner who wants it.

        Raises:
            PublisherNotFoundError: there is no such publisher.
            PublisherNotOwnedError: `by` is no owner any more.
            ArgumentInvalidError: there are as many as there may be.
        """
        ...

    async def remove_owner(self, publisher: str, key_id: str, *, by: str) -> Publisher:
        """Removes an owner, if it is one.

        Raises:
            PublisherNotFoundError: there is no such publisher.
            PublisherNotOwnedError: `by` is no owner any more.
            LastOwnerError: nobody would be left.
        """
        ...

    async def spend(self, proof: PublisherProof, *, forget_before: datetime) -> bool:
        """Notes that a proof was used; false when it was used before.

        Those that expired before `forget_before` may be forgotten.
        """
        ...
