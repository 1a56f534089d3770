"""Where the audit log lies: the port. It only reads: stores write events with what they change."""

from collections.abc import Sequence
from typing import Protocol

from registry_service.audit.model import AuditEvent


class AuditStore(Protocol):
    """The audit log. Every method may raise RegistryUnavailableError."""

    async def list_events(
        self, *, about: str, before: int | None, limit: int
    ) -> Sequence[AuditEvent]:
        """Events by number, highest first, those with a number below `before`.

        Args:
            about: a publisher, with all of its extensions; or "publisher.name", with nothing
                else; empty means all.
            before: None starts with the newest.
            limit: how many at most.
        """
        ...
