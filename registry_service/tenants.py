"""Which tenants there are: for work that goes through all of them, one after the other."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from shared.identifiers import TenantId

_AT_ONCE: Final = 500


class TenantStore(Protocol):
    """Every tenant that ever installed something."""

    async def list_tenants(self, *, after: TenantId | None, limit: int) -> Sequence[TenantId]:
        """Tenants in the order of their ids, those after `after`.

        Raises:
            RegistryUnavailableError: the database does not answer.
        """
        ...


async def every_tenant(store: TenantStore) -> AsyncIterator[TenantId]:
    """All tenants; those that come while it runs may be left out.

    Raises:
        RegistryUnavailableError: the database does not answer.
    """
    after: TenantId | None = None
    while found := await store.list_tenants(after=after, limit=_AT_ONCE):
        for tenant_id in found:
            yield tenant_id
        after = found[-1]
