"""What becomes of versions after they are published: the port."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from registry_service.catalog.model import QuarantineReceipt
from shared.identifiers import VersionId


class LifeCycleStore(Protocol):
    """Each change moves the entry's latest version and is written to the audit log, in one step.

    A change that changes nothing writes nothing. Every method may raise RegistryUnavailableError.
    """

    async def deprecate(
        self, version_id: VersionId, *, reason: str, replacement: str, actor: str
    ) -> None:
        """Marks the version; a second time changes reason and replacement and keeps the date."""
        ...

    async def undeprecate(self, version_id: VersionId, *, actor: str) -> None:
        """Takes the mark back."""
        ...

    async def yank(self, version_id: VersionId, *, reason: str, actor: str) -> None:
        """Yanks the version; the first reason stays."""
        ...

    async def unyank(self, version_id: VersionId, *, actor: str) -> None:
        """Takes the yank back."""
        ...

    async def quarantine(
        self, version_id: VersionId, *, reason: str, actor: str, at: datetime
    ) -> QuarantineReceipt:
        """Stops the version and tells those who watch installs; the first reason stays."""
        ...

    async def lift_quarantine(self, version_id: VersionId, *, actor: str, at: datetime) -> None:
        """Takes the quarantine back, and tells those who watch installs."""
        ...

    async def find_receipt(self, receipt_id: UUID) -> QuarantineReceipt | None:
        """The receipt, or None."""
        ...
