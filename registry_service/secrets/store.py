"""Where sealed secrets lie: the port. Nothing here ever sees an open one."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from registry_service.catalog.reference import ExtensionReference
from registry_service.secrets.model import Sealed, SecretInfo, StoredSecret
from shared.identifiers import InstallId, TenantId


class SecretStore(Protocol):
    """The sealed secrets of installs. Every method may raise RegistryUnavailableError."""

    async def versions(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> tuple[InstallId, Mapping[str, int]]:
        """The install, and the version of each of its secrets, by key.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        ...

    async def put(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        secrets: Sequence[StoredSecret],
        *,
        actor: str,
        at_most: int,
    ) -> Sequence[SecretInfo] | None:
        """Writes secrets, each one version after the stored one; all or none.

        Returns:
            What was written, in the same order; None when another writer was faster: a stored
            version is not the one before.

        Raises:
            InstallNotFoundError: the install is gone.
            ArgumentInvalidError: the install would have more than `at_most`.
        """
        ...

    async def delete(self, tenant_id: TenantId, reference: ExtensionReference, key: str) -> bool:
        """Removes a secret; gives whether there was one.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        ...

    async def list_secrets(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> Sequence[SecretInfo]:
        """What may be told of an install's secrets, by key.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        ...

    async def get(
        self, tenant_id: TenantId, install_id: InstallId, key: str
    ) -> StoredSecret | None:
        """A secret of an enabled install, expired or not; in one round trip."""
        ...

    async def list_keys(self, tenant_id: TenantId, install_id: InstallId) -> Sequence[str]:
        """The names of an enabled install's secrets that have not expired, sorted."""
        ...

    async def all_of(
        self, tenant_id: TenantId, *, after: tuple[InstallId, str] | None, limit: int
    ) -> Sequence[StoredSecret]:
        """The tenant's secrets by install and key, those after (install, key) `after`."""
        ...

    async def reseal(self, secret: StoredSecret, sealed: Sealed) -> bool:
        """Puts another seal on a secret that has not changed; gives whether it had not."""
        ...
