"""Where the execution log lies: the port."""

from collections.abc import Sequence
from typing import Protocol

from registry_service.ledger.model import Execution, ExecutionFilter, LogPosition
from shared.identifiers import TenantId


class LedgerStore(Protocol):
    """The execution log. Every method may raise RegistryUnavailableError."""

    async def record(self, executions: Sequence[Execution]) -> None:
        """Appends executions of any tenants; those whose id is there already stay as they are."""
        ...

    async def list_executions(
        self,
        tenant_id: TenantId,
        wanted: ExecutionFilter,
        *,
        after: LogPosition | None,
        limit: int,
    ) -> Sequence[Execution]:
        """A tenant's executions, newest first, those after `after`."""
        ...
