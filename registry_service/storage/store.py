"""Where records lie: the port."""

from collections.abc import Sequence
from typing import Protocol

from registry_service.storage.model import Record, StorageLimits
from shared.identifiers import InstallId, TenantId


class RecordStore(Protocol):
    """The records of installs. Every method may raise RegistryUnavailableError."""

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
        key: str,
        value: bytes,
        *,
        if_revision: int | None,
        limits: StorageLimits,
    ) -> Record:
        """Writes the record; checks and write are one step, also among concurrent writers.

        Raises:
            InstallNotFoundError: the install is gone.
            RevisionMismatchError: `if_revision` (0: none) is not the stored revision.
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
            InstallNotFoundError: the install is gone.
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
        limit: int,
    ) -> Sequence[Record]:
        """Records by key (byte order), those whose key is greater than `after_key`."""
        ...
