"""Giving an extension to another publisher: one side offers it, the other takes it."""

from datetime import datetime, timedelta
from typing import Final

from registry_service.catalog.catalog import Catalog
from registry_service.catalog.model import RegistryEntry
from registry_service.catalog.reference import ExtensionReference
from registry_service.catalog.transfer_store import TransferStore
from registry_service.publishers.ownership import Ownership
from shared.clock import Clock
from shared.errors import (
    ArgumentInvalidError,
    PublisherNotFoundError,
    RegistryEntryNotFoundError,
    TransferNotFoundError,
)
from shared.identifiers import parse_publisher
from shared.tokens.publisher_proof import PublisherAction

OFFER_LIFETIME: Final = timedelta(days=7)


class Transfers:
    """Offers of extensions. Ids, versions and installs stay; only the name in front changes."""

    def __init__(
        self, *, store: TransferStore, catalog: Catalog, ownership: Ownership, clock: Clock
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._ownership = ownership
        self._clock = clock

    async def offer(
        self, reference: ExtensionReference, to_publisher: str, *, proof: str
    ) -> datetime:
        """Offers an extension, in the place of an earlier offer; gives until when.

        Raises:
            RegistryEntryNotFoundError: there is no such extension.
            PublisherNotFoundError: the receiving publisher is not registered.
            PublisherNotOwnedError: no owner of the present publisher proved to want it.
            ArgumentInvalidError: the publisher has it already.
        """
        entry = await self._catalog.entry(reference)
        receiver = _possible(to_publisher)
        await self._ownership.registered(receiver)
        if receiver == entry.publisher:
            raise ArgumentInvalidError(
                f'"{receiver}" has this extension already.', what="to_publisher"
            )
        by = await self._ownership.prove(
            proof,
            publisher=entry.publisher,
            action=PublisherAction.OFFER_TRANSFER,
            about=f"{entry.publisher}.{entry.name} {receiver}",
        )
        expires_at = self._clock.now() + OFFER_LIFETIME
        await self._store.offer(entry, receiver, by=by, expires_at=expires_at)
        return expires_at

    async def accept(
        self, reference: ExtensionReference, to_publisher: str, *, proof: str
    ) -> RegistryEntry:
        """Takes an offer; gives the entry under its new name.

        Raises:
            TransferNotFoundError: it was not offered to this publisher, or the offer is over.
            PublisherNotFoundError: the publisher is not registered.
            PublisherNotOwnedError: no owner of the receiving publisher proved to want it.
            RegistryEntryExistsError: the publisher has another extension of this name.
        """
        receiver = _possible(to_publisher)
        try:
            entry = await self._catalog.entry(reference)
        except RegistryEntryNotFoundError:
            raise TransferNotFoundError from None
        by = await self._ownership.prove(
            proof,
            publisher=receiver,
            action=PublisherAction.ACCEPT_TRANSFER,
            about=f"{entry.publisher}.{entry.name}",
        )
        return await self._store.accept(entry.registry_id, receiver, by=by, now=self._clock.now())


def _possible(publisher: str) -> str:
    try:
        return parse_publisher(publisher)
    except ArgumentInvalidError:
        raise PublisherNotFoundError from None
