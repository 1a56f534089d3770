"""Proving that a call comes from an owner of the publisher that it is about."""

from datetime import timedelta
from typing import Final

from registry_service.publishers.model import Publisher
from registry_service.publishers.store import PublisherStore
from shared.clock import Clock
from shared.errors import PublisherNotFoundError, PublisherNotOwnedError
from shared.tokens.publisher_proof import PublisherAction, verify_proof

MEMORY: Final = timedelta(hours=1)
"""How much longer than it is good a proof is remembered: clocks of registries may differ."""


class Ownership:
    """Lets through what an owner signed."""

    def __init__(self, *, store: PublisherStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def registered(self, publisher: str) -> Publisher:
        """The publisher.

        Raises:
            PublisherNotFoundError: there is none of this name.
        """
        found = await self._store.find(publisher)
        if found is None:
            raise PublisherNotFoundError(
                f'No publisher "{publisher}" is registered: create it with its first owner\'s key.',
                publisher=publisher,
            )
        return found

    async def prove(
        self, proof: str, *, publisher: str, action: PublisherAction, about: str
    ) -> str:
        """The key id of the owner who signed this; the proof is used up by it.

        Raises:
            PublisherNotFoundError: there is no such publisher.
            PublisherNotOwnedError: it proves something else or nothing, or was used before.
        """
        owned = await self.registered(publisher)
        if not proof:
            raise PublisherNotOwnedError(
                f'The call must prove to come from an owner of "{publisher}" (metadata '
                "x-publisher-proof).",
                publisher=publisher,
            )
        now = self._clock.now()
        verified = verify_proof(
            proof,
            owners={owner.key.key_id: owner.key.public for owner in owned.owners},
            publisher=publisher,
            action=action,
            about=about,
            now=now,
        )
        if not await self._store.spend(verified, forget_before=now - MEMORY):
            raise PublisherNotOwnedError("The publisher proof was used before: sign a new one.")
        return verified.key_id
