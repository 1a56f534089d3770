"""Registering publishers, and changing who owns them."""

from registry_service.audit.model import operator_actor
from registry_service.publishers.model import Publisher
from registry_service.publishers.ownership import Ownership
from registry_service.publishers.store import PublisherStore
from shared.errors import ArgumentInvalidError, PublisherNotFoundError
from shared.identifiers import parse_publisher
from shared.tokens.keys import PublicKey
from shared.tokens.publisher_proof import PublisherAction


class Publishers:
    """The names in front of extensions, and who may use them."""

    def __init__(self, *, store: PublisherStore, ownership: Ownership) -> None:
        self._store = store
        self._ownership = ownership

    async def create(self, publisher: str, owner_jwk: str, *, actor: str) -> Publisher:
        """Registers a publisher with its first owner.

        Raises:
            ArgumentInvalidError: the name or the actor breaks its grammar, or the key is no
                public Ed25519 JWK.
            PublisherExistsError: the name is taken.
        """
        name = parse_publisher(publisher)
        owner = PublicKey.from_jwk(owner_jwk)
        return await self._store.create(name, owner, actor=operator_actor(actor))

    async def find(self, publisher: str) -> Publisher:
        """The publisher.

        Raises:
            PublisherNotFoundError: there is none of this name.
        """
        return await self._ownership.registered(_possible(publisher))

    async def add_owner(self, publisher: str, owner_jwk: str, *, proof: str) -> Publisher:
        """Adds an owner, unless it is one already.

        Raises:
            PublisherNotFoundError: there is no such publisher.
            PublisherNotOwnedError: no owner proved to want it.
            ArgumentInvalidError: the key is no public Ed25519 JWK, or there are too many owners.
        """
        name = _possible(publisher)
        owner = PublicKey.from_jwk(owner_jwk)
        by = await self._ownership.prove(
            proof, publisher=name, action=PublisherAction.ADD_OWNER, about=owner.key_id
        )
        return await self._store.add_owner(name, owner, by=by)

    async def remove_owner(self, publisher: str, key_id: str, *, proof: str) -> Publisher:
        """Removes an owner, if it is one.

        Raises:
            PublisherNotFoundError: there is no such publisher.
            PublisherNotOwnedError: no owner proved to want it.
            LastOwnerError: nobody would be left.
        """
        name = _possible(publisher)
        by = await self._ownership.prove(
            proof, publisher=name, action=PublisherAction.REMOVE_OWNER, about=key_id
        )
        return await self._store.remove_owner(name, key_id, by=by)


def _possible(publisher: str) -> str:
    """A name that cannot exist is answered like one that does not."""
    try:
        return parse_publisher(publisher)
    except ArgumentInvalidError:
        raise PublisherNotFoundError from None
