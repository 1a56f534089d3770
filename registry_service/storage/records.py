"""The records of the install that an invocation grant names; no call can name another."""

from collections.abc import AsyncIterator, Sequence
from itertools import accumulate
from typing import Final

from registry_service.catalog.reference import ExtensionReference
from registry_service.paging import page_size_of, page_token, position_of
from registry_service.storage.model import (
    Record,
    RecordWrite,
    StorageLimits,
    check_key,
    check_key_prefix,
    check_namespace,
    check_write,
    check_writes,
)
from registry_service.storage.store import RecordStore
from shared.capabilities import STORAGE_KV
from shared.errors import (
    CapabilityNotGrantedError,
    InstallNotFoundError,
    InvocationGrantInvalidError,
    StorageEntryNotFoundError,
)
from shared.identifiers import TenantId
from shared.tokens.invocation_grant import InvocationGrant

DEFAULT_PAGE: Final = 25
LARGEST_PAGE: Final = 100
PAGE_BYTES: Final = 2 * 1024 * 1024
"""Of values in one message; it must fit into 4 MiB with names, and a page of 100 might not."""


class Records:
    """Key-value storage.

    Every method that takes a grant raises CapabilityNotGrantedError without the capability.
    """

    def __init__(self, *, store: RecordStore, limits: StorageLimits) -> None:
        self._store = store
        self._limits = limits

    async def get(self, grant: InvocationGrant, namespace: str, key: str) -> Record:
        """The record.

        Raises:
            ArgumentInvalidError: a name breaks its grammar.
            StorageEntryNotFoundError: there is no such record, or it has expired.
        """
        _admit(grant)
        record = await self._store.get(
            grant.tenant_id, grant.install_id, check_namespace(namespace), check_key(key)
        )
        if record is None:
            raise StorageEntryNotFoundError
        return record

    async def put(self, grant: InvocationGrant, namespace: str, write: RecordWrite) -> Record:
        """Writes the record; with `if_revision` only when that is the stored one (0: none).

        Raises:
            ArgumentInvalidError: a name breaks its grammar, the value is too large, or the time
                to live is out of bounds.
            RevisionMismatchError: the stored revision is another.
            StorageLimitExceededError: the install has reached a limit.
            InvocationGrantInvalidError: the install is gone or disabled.
        """
        _admit(grant)
        (record,) = await self._put(grant, namespace, [check_write(write)])
        return record

    async def put_all(
        self, grant: InvocationGrant, namespace: str, writes: list[RecordWrite]
    ) -> Sequence[Record]:
        """Writes all of the records, or none of them.

        Raises: as `put`; ArgumentInvalidError also when there are too many of them, too many bytes
            together, or one key twice.
        """
        _admit(grant)
        return await self._put(grant, namespace, check_writes(writes))

    async def delete(
        self, grant: InvocationGrant, namespace: str, key: str, *, if_revision: int | None
    ) -> None:
        """Removes the record; with `if_revision` only when that is the stored one.

        Raises:
            ArgumentInvalidError: a name breaks its grammar.
            StorageEntryNotFoundError: there is no such record, or it has expired.
            RevisionMismatchError: the stored revision is another.
            InvocationGrantInvalidError: the install is gone or disabled.
        """
        _admit(grant)
        try:
            await self._store.delete(
                grant.tenant_id,
                grant.install_id,
                check_namespace(namespace),
                check_key(key),
                if_revision=if_revision,
            )
        except InstallNotFoundError:
            raise _gone() from None

    async def list_records(
        self,
        grant: InvocationGrant,
        namespace: str,
        *,
        page_size: int,
        token: str,
        key_prefix: str = "",
    ) -> tuple[Sequence[Record], str]:
        """One page of a namespace in key order, and the token of the next (empty: none).

        A page ends early when its values are large. The position in a token is only compared with
        keys of the grant's own install, so a forged one finds nothing that an honest one does not.

        Raises:
            ArgumentInvalidError: the namespace or the prefix breaks its grammar, or the page is
                too large.
            PageTokenInvalidError: the token is of another listing, or none of ours.
        """
        _admit(grant)
        limit = page_size_of(page_size, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        check_namespace(namespace)
        check_key_prefix(key_prefix)
        listing = ("records", str(grant.tenant_id), str(grant.install_id), namespace, key_prefix)
        position = position_of(token, listing, parts=1)
        found = await self._store.list_records(
            grant.tenant_id,
            grant.install_id,
            namespace,
            after_key=position[0] if position else "",
            key_prefix=key_prefix,
            limit=limit + 1,
        )
        page = _that_fit(found[:limit])
        return page, page_token(listing, (page[-1].key,)) if len(found) > len(page) else ""

    async def export(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> AsyncIterator[Sequence[Record]]:
        """All records of an install, in portions, by namespace and key.

        Each portion is as of its own moment: disable the install first for an export as of one.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        after = ("", "")
        while True:
            found = await self._store.export(
                tenant_id, reference, after=after, limit=LARGEST_PAGE + 1
            )
            page = _that_fit(found[:LARGEST_PAGE])
            yield page
            if len(page) == len(found):
                return
            after = (page[-1].namespace, page[-1].key)

    async def _put(
        self, grant: InvocationGrant, namespace: str, writes: Sequence[RecordWrite]
    ) -> Sequence[Record]:
        try:
            return await self._store.put(
                grant.tenant_id,
                grant.install_id,
                check_namespace(namespace),
                writes,
                limits=self._limits,
            )
        except InstallNotFoundError:
            raise _gone() from None


def _that_fit(records: Sequence[Record]) -> Sequence[Record]:
    sizes = accumulate(len(record.value) for record in records)
    return records[: sum(size <= PAGE_BYTES for size in sizes)]


def _admit(grant: InvocationGrant) -> None:
    if STORAGE_KV not in grant.capabilities:
        raise CapabilityNotGrantedError(
            f"The install was not granted {STORAGE_KV}.", capability=STORAGE_KV
        )


def _gone() -> InvocationGrantInvalidError:
    return InvocationGrantInvalidError("The install that this grant names is gone or disabled.")
