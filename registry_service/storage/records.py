"""The records of the install that an invocation grant names; no call can name another."""

from collections.abc import Sequence
from typing import Final

from registry_service.paging import page_size_of, page_token, position_of
from registry_service.storage.model import (
    MAX_VALUE_BYTES,
    Record,
    StorageLimits,
    check_key,
    check_namespace,
)
from registry_service.storage.store import RecordStore
from shared.capabilities import STORAGE_KV
from shared.errors import (
    ArgumentInvalidError,
    CapabilityNotGrantedError,
    InstallNotFoundError,
    InvocationGrantInvalidError,
    StorageEntryNotFoundError,
)
from shared.tokens.invocation_grant import InvocationGrant

DEFAULT_PAGE: Final = 25
LARGEST_PAGE: Final = 100


class Records:
    """Key-value storage. Every method raises CapabilityNotGrantedError without the capability."""

    def __init__(self, *, store: RecordStore, limits: StorageLimits) -> None:
        self._store = store
        self._limits = limits

    async def get(self, grant: InvocationGrant, namespace: str, key: str) -> Record:
        """The record.

        Raises:
            ArgumentInvalidError: a name breaks its grammar.
            StorageEntryNotFoundError: there is no such record.
        """
        _admit(grant)
        record = await self._store.get(
            grant.tenant_id, grant.install_id, check_namespace(namespace), check_key(key)
        )
        if record is None:
            raise StorageEntryNotFoundError
        return record

    async def put(
        self,
        grant: InvocationGrant,
        namespace: str,
        key: str,
        value: bytes,
        *,
        if_revision: int | None,
    ) -> Record:
        """Writes the record; with `if_revision` only when that is the stored one (0: none).

        Raises:
            ArgumentInvalidError: a name breaks its grammar, or the value is too large.
            RevisionMismatchError: the stored revision is another.
            StorageLimitExceededError: the install has reached a limit.
            InvocationGrantInvalidError: the install is gone.
        """
        _admit(grant)
        if len(value) > MAX_VALUE_BYTES:
            raise ArgumentInvalidError(
                f"A value has at most {MAX_VALUE_BYTES} bytes.", what="value"
            )
        try:
            return await self._store.put(
                grant.tenant_id,
                grant.install_id,
                check_namespace(namespace),
                check_key(key),
                value,
                if_revision=if_revision,
                limits=self._limits,
            )
        except InstallNotFoundError:
            raise _gone() from None

    async def delete(
        self, grant: InvocationGrant, namespace: str, key: str, *, if_revision: int | None
    ) -> None:
        """Removes the record; with `if_revision` only when that is the stored one.

        Raises:
            ArgumentInvalidError: a name breaks its grammar.
            StorageEntryNotFoundError: there is no such record.
            RevisionMismatchError: the stored revision is another.
            InvocationGrantInvalidError: the install is gone.
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
        self, grant: InvocationGrant, namespace: str, *, page_size: int, token: str
    ) -> tuple[Sequence[Record], str]:
        """One page of a namespace in key order, and the token of the next (empty: none).

        Raises:
            ArgumentInvalidError: the namespace breaks its grammar, or the page is too large.
            PageTokenInvalidError: the token is of another namespace, or none of ours.
        """
        _admit(grant)
        limit = page_size_of(page_size, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        check_namespace(namespace)
        listing = ("records", str(grant.tenant_id), str(grant.install_id), namespace)
        position = position_of(token, listing, parts=1)
        found = await self._store.list_records(
            grant.tenant_id,
            grant.install_id,
            namespace,
            after_key=position[0] if position else "",
            limit=limit + 1,
        )
        page = found[:limit]
        return page, page_token(listing, (page[-1].key,)) if len(found) > limit else ""


def _admit(grant: InvocationGrant) -> None:
    if STORAGE_KV not in grant.capabilities:
        raise CapabilityNotGrantedError(
            f"The install was not granted {STORAGE_KV}.", capability=STORAGE_KV
        )


def _gone() -> InvocationGrantInvalidError:
    return InvocationGrantInvalidError("The install that this grant names is gone.")
