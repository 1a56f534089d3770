"""Guests' records in memory: a `StorageBackend` that passes its conformance suite."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from runner_service.backends.storage import PAGE_SIZE, StoredEntry
from runner_service.invocation import Invocation
from shared.capabilities import STORAGE_KV
from shared.errors import (
    ArgumentInvalidError,
    CapabilityNotGrantedError,
    RevisionMismatchError,
    StorageEntryNotFoundError,
)
from shared.identifiers import InstallId


@dataclass
class MemoryStorage:
    """Keeps records by install, namespace and key."""

    records: dict[tuple[InstallId, str, str], StoredEntry] = field(default_factory=dict)

    async def get(self, invocation: Invocation, namespace: str, key: str) -> StoredEntry:
        try:
            return self.records[_place(invocation, namespace, key)]
        except KeyError:
            raise StorageEntryNotFoundError from None

    async def put(
        self,
        invocation: Invocation,
        namespace: str,
        key: str,
        value: bytes,
        *,
        if_revision: int | None,
    ) -> StoredEntry:
        place = _place(invocation, namespace, key)
        if len(value) > 64 * 1024:
            raise ArgumentInvalidError
        stored = self.records[place].revision if place in self.records else 0
        if if_revision not in {None, stored}:
            raise RevisionMismatchError
        entry = StoredEntry(namespace=namespace, key=key, value=value, revision=stored + 1)
        self.records[place] = entry
        return entry

    async def delete(self, invocation: Invocation, namespace: str, key: str) -> None:
        if self.records.pop(_place(invocation, namespace, key), None) is None:
            raise StorageEntryNotFoundError

    async def list_entries(
        self, invocation: Invocation, namespace: str, *, after_key: str | None
    ) -> Sequence[StoredEntry]:
        install_id, _, _ = _place(invocation, namespace, "any")
        keys = sorted(
            key
            for owner, space, key in self.records
            if (owner, space) == (install_id, namespace) and (after_key is None or key > after_key)
        )
        return [self.records[install_id, namespace, key] for key in keys[:PAGE_SIZE]]


def _place(invocation: Invocation, namespace: str, key: str) -> tuple[InstallId, str, str]:
    if STORAGE_KV not in invocation.grant.capabilities:
        raise CapabilityNotGrantedError
    if not 1 <= len(namespace) <= 128 or not 1 <= len(key) <= 256 or "/" in key:
        raise ArgumentInvalidError
    if any(unicodedata.category(character) == "Cc" for character in namespace + key):
        raise ArgumentInvalidError
    return invocation.grant.install_id, namespace, key
