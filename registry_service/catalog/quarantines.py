"""Quarantine: operators stop a version everywhere, and get a receipt of what was stopped."""

from datetime import datetime, timedelta
from typing import Final

from registry_service.audit.model import operator_actor
from registry_service.catalog.catalog import Catalog
from registry_service.catalog.life_cycle import named_version
from registry_service.catalog.life_cycle_store import LifeCycleStore
from registry_service.catalog.model import ExtensionVersion, QuarantineReceipt
from registry_service.catalog.readable_text import reason_of
from registry_service.catalog.reference import ExtensionReference
from shared.clock import Clock
from shared.errors import ArgumentInvalidError, QuarantineNotFoundError
from shared.identifiers import parse_uuid
from shared.tokens.invocation_grant import GRANT_LIFETIME
from shared.tokens.invocation_grant import LEEWAY as GRANT_LEEWAY

EFFECTIVE_WITHIN: Final[timedelta] = GRANT_LIFETIME + GRANT_LEEWAY
"""A grant that was signed just before is good for that long, where no news of it arrives."""


class Quarantines:
    """Versions that run nowhere."""

    def __init__(self, *, store: LifeCycleStore, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def quarantine(
        self, reference: ExtensionReference, version: str, *, reason: str, actor: str
    ) -> QuarantineReceipt:
        """Stops a version; doing it again gives the same receipt.

        Raises:
            ArgumentInvalidError: the version is not named, or the reason says nothing.
            VersionNotFoundError: there is no such version.
        """
        reason = reason_of(reason)
        actor = operator_actor(actor)
        found = await named_version(self._catalog, reference, version)
        return await self._store.quarantine(
            found.version_id, reason=reason, actor=actor, at=self._clock.now()
        )

    async def lift(
        self, reference: ExtensionReference, version: str, *, actor: str
    ) -> ExtensionVersion:
        """Takes a quarantine back; installs that are enabled run again.

        Raises:
            ArgumentInvalidError: the version is not named.
            VersionNotFoundError: there is no such version.
        """
        actor = operator_actor(actor)
        found = await named_version(self._catalog, reference, version)
        await self._store.lift_quarantine(found.version_id, actor=actor, at=self._clock.now())
        by_id = ExtensionReference(id=found.registry_id)
        return await self._catalog.version(by_id, found.version)

    async def receipt(self, receipt_id: str) -> QuarantineReceipt:
        """A receipt, of a quarantine that lasts or was lifted.

        Raises:
            QuarantineNotFoundError: there is none of this id.
        """
        try:
            parsed = parse_uuid(receipt_id, "receipt_id")
        except ArgumentInvalidError:
            raise QuarantineNotFoundError from None
        found = await self._store.find_receipt(parsed)
        if found is None:
            raise QuarantineNotFoundError
        return found


def effective_by(receipt: QuarantineReceipt) -> datetime:
    """After this moment no grant that was out is valid any more."""
    return receipt.quarantined_at + EFFECTIVE_WITHIN
