"""Where records lie: the port."""

from collections.abc import Sequence
from typing import Protocol

from registry_service.catalog.reference import ExtensionReference
from registry_service.storage.model import Record, RecordWrite, StorageLimits
from shared.identifiers import InstallId, TenantId


class RecordStore(Protocol):
    """The records of installs; what has expired is not there.

    Every method may raise RegistryUnavailableError.
    """

    async def get(
        self, tenant_id: TenantId, install_id: InstallId, namespace: str, key: str
    ) -> Record | None:
        """The record."""
        ...

    async def put(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        namespace: str,
        writes: Sequence[RecordWrite],
        *,
        limits: StorageLimits,
    ) -> Sequence[Record]:
        """Writes the records, all or none, and gives them in the same order.

        Checks and writes are one step, also among concurrent writers.

        Raises:
            InstallNotFoundError: the install is gone or disabled.
            RevisionMismatchError: an `if_revision` (0: none) is not the stored revision.
            StorageLimitExceededError: a limit would be passed.
        """
        ...

    async def delete(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        namespace: str,
        key: str,
        *,
        if_revision: int | None,
    ) -> None:
        """Removes the record.

        Raises:
            InstallNotFoundError: the install is gone or disabled.
            StorageEntryNotFoundError: there is no such record.
            RevisionMismatchError: `if_revision` is not the stored revision.
        """
        ...

    async def list_records(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        namespace: str,
        *,
        after_key: str,
        key_prefix: str,
        limit: int,
    ) -> Sequence[Record]:
        """Records by key (byte order): those after `after_key` that begin with `key_prefix`."""
        ...

    async def export(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        *,
        after: tuple[str, str],
        limit: int,
    ) -> Sequence[Record]:
        """Records of an install by namespace and key, those after (namespace, key) `after`.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        ...

    async def sweep(self, tenant_id: TenantId) -> int:
        """Removes the tenant's expired records; gives how many there were."""
        ...
