"""Where installs lie: the port."""

from collections.abc import Callable, Sequence
from typing import Protocol

from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.model import Change, InstallRevision, InstallTerms, TenantInstall
from shared.identifiers import InstallId, RegistryId, TenantId


class InstallStore(Protocol):
    """The installs of tenants. Every method may raise RegistryUnavailableError.

    A reference names an install by its own id, by the registry id or by publisher and name; an
    install of another tenant is never found. Every change is written with a revision that tells
    who made it, and is told to whoever listens when it is committed.
    """

    async def add(
        self, tenant_id: TenantId, registry_id: RegistryId, terms: InstallTerms, *, actor: str
    ) -> TenantInstall | None:
        """Adds an install, or gives None when the tenant has one of this entry already."""
        ...

    async def change(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        decide: Callable[[TenantInstall], Change],
        *,
        actor: str,
    ) -> tuple[TenantInstall, bool]:
        """Changes an install to what `decide` says about it; the row is locked meanwhile.

        Args:
            tenant_id: whose.
            reference: which.
            decide: gets the install as it is. What it raises is passed on, and changes nothing.
            actor: who asks.

        Returns:
            The install, and whether it changed.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        ...

    async def remove(
        self, tenant_id: TenantId, reference: ExtensionReference, *, keep_records: bool
    ) -> bool:
        """Removes an install with all that belongs to it.

        Args:
            tenant_id: whose.
            reference: which; or, for records that were kept, an entry that is not installed.
            keep_records: whether its records wait for the tenant's next install of the extension.

        Returns:
            Whether there was an install, or records that were to be removed.
        """
        ...

    async def find(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> TenantInstall | None:
        """The install, enabled or not."""
        ...

    async def list_installs(
        self, tenant_id: TenantId, *, after: tuple[str, str] | None, limit: int
    ) -> Sequence[TenantInstall]:
        """The tenant's installs by publisher and name, those after (publisher, name) `after`."""
        ...

    async def find_revision(
        self, tenant_id: TenantId, install_id: InstallId, revision: int
    ) -> InstallRevision | None:
        """One revision of an install."""
        ...

    async def list_revisions(
        self, tenant_id: TenantId, install_id: InstallId, *, before: int | None, limit: int
    ) -> Sequence[InstallRevision]:
        """The revisions of an install, newest first, those before `before`."""
        ...

    async def resolve(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> TenantInstall | None:
        """The install if it is enabled, in one round trip: this is the way of every request."""
        ...
