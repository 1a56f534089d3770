"""Where the policies of tenants lie: the port."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.identifiers import TenantId
from shared.trust.verification import SigningPolicy


@dataclass(frozen=True, slots=True)
class OwnPolicy:
    """What was set for a tenant, by whom and when."""

    signing_policy: SigningPolicy
    set_by: str
    set_at: datetime


class PolicyStore(Protocol):
    """The policies that tenants have of their own. May raise RegistryUnavailableError."""

    async def find(self, tenant_id: TenantId) -> OwnPolicy | None:
        """The tenant's own policy; None when it has the platform's."""
        ...

    async def put(self, tenant_id: TenantId, policy: OwnPolicy) -> None:
        """Sets the tenant's own policy."""
        ...

    async def remove(self, tenant_id: TenantId) -> None:
        """Gives the tenant the platform's policy again."""
        ...
