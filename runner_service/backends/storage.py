"""Where guests' records lie: the port."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runner_service.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """One record of an install."""

    namespace: str
    key: str
    value: bytes
    revision: int


class StorageBackend(Protocol):
    """The records of the install that an invocation's grant names; no call can name another.

    Every method may raise CapabilityNotGrantedError, InvocationGrantInvalidError,
    ArgumentInvalidError (a name or size breaks the rules), or the errors of an unreachable backend.
    """

    async def get(self, invocation: Invocation, namespace: str, key: str) -> StoredEntry:
        """The record.

        Raises:
            StorageEntryNotFoundError: there is none.
        """
        ...

    async def put(
        self,
        invocation: Invocation,
        namespace: str,
        key: str,
        value: bytes,
        *,
        if_revision: int | None,
    ) -> StoredEntry:
        """Writes the record and gives it back with its new revision.

        Args:
            invocation: for whom.
            namespace: 1 to 128 characters.
            key: 1 to 256 characters, no "/".
            value: at most 64 KiB.
            if_revision: the revision that must be stored now; 0 means none, None means any.

        Raises:
            RevisionMismatchError: another one is.
            StorageLimitExceededError: the install has no room left.
        """
        ...

    async def delete(self, invocation: Invocation, namespace: str, key: str) -> None:
        """Removes the record.

        Raises:
            StorageEntryNotFoundError: there is none.
        """
        ...

    async def list_entries(
        self, invocation: Invocation, namespace: str, *, after_key: str | None
    ) -> Sequence[StoredEntry]:
        """The next records of a namespace in key order, at most `PAGE_SIZE`.

        Args:
            invocation: for whom.
            namespace: whose records.
            after_key: the last key seen; None starts at the first.
        """
        ...


PAGE_SIZE = 25
"""What guests got at once from the original system; they know no other size."""
