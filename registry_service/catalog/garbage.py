"""Deleting what no version refers to, and never what one is about to refer to."""

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol

from shared.bundles.layout import content_hash_of_key, signature_key
from shared.bundles.store import BundleStore
from shared.identifiers import ContentHash

_BATCH: Final = 500
_ENVELOPE_SUFFIX: Final = ".dsse.json"


class Standing(StrEnum):
    """Whether a bundle's objects are needed."""

    REFERENCED = "referenced"
    RECENT = "recent"
    """No version refers to it, but one may be on its way."""
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class BundleUse:
    """Who needs a bundle, and which signature envelopes (by SHA-256, hex) versions refer to."""

    standing: Standing
    envelopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Collected:
    """How much was deleted, or would be."""

    objects: int
    bytes: int


class BundleReferences(Protocol):
    """Which stored bundles are referred to. Every method may raise RegistryUnavailableError."""

    async def note_upload(self, content_hash: ContentHash) -> None:
        """Keeps a bundle's objects for another grace period; waits while they are deleted."""
        ...

    async def uses(
        self, content_hashes: Sequence[ContentHash], *, grace: timedelta
    ) -> Mapping[ContentHash, BundleUse]:
        """How each bundle stands. The grace period of one never seen before begins now."""
        ...

    async def while_settled(
        self,
        content_hash: ContentHash,
        work: Callable[[BundleUse], Awaitable[None]],
        *,
        grace: timedelta,
    ) -> None:
        """Runs `work` with how the bundle stands, while no version can refer to it anew."""
        ...


class Garbage:
    """The stored objects, and which of them may go."""

    def __init__(
        self, *, objects: BundleStore, references: BundleReferences, grace: timedelta
    ) -> None:
        self._objects = objects
        self._references = references
        self._grace = grace

    async def collect(self, *, dry_run: bool) -> Collected:
        """Deletes whole bundles, and signatures of bundles, that no version refers to.

        What is interrupted can be repeated. Objects that are not below a content hash are left
        alone: they are not ours.

        Raises:
            BundleStoreUnavailableError: the store does not answer.
        """
        bundles: dict[ContentHash, list[str]] = {}
        async for key in self._objects.list_keys("sha256/"):
            if content_hash := content_hash_of_key(key):
                bundles.setdefault(content_hash, []).append(key)
        objects = size = 0
        for batch in _batches(sorted(bundles)):
            uses = await self._references.uses(batch, grace=self._grace)
            for content_hash in batch:
                keys = bundles[content_hash]
                doomed = _doomed(content_hash, keys, uses[content_hash])
                if doomed and not dry_run:
                    doomed, freed = await self._delete(content_hash, keys)
                else:
                    freed = sum([await self._objects.size(key) or 0 for key in doomed])
                objects, size = objects + len(doomed), size + freed
        return Collected(objects, size)

    async def _delete(
        self, content_hash: ContentHash, keys: Sequence[str]
    ) -> tuple[list[str], int]:
        deleted: list[str] = []
        freed = 0

        async def delete(use: BundleUse) -> None:
            nonlocal freed
            for key in _doomed(content_hash, keys, use):
                freed += await self._objects.size(key) or 0
                await self._objects.delete(key)
                deleted.append(key)

        await self._references.while_settled(content_hash, delete, grace=self._grace)
        return deleted, freed


def _doomed(content_hash: ContentHash, keys: Sequence[str], use: BundleUse) -> list[str]:
    match use.standing:
        case Standing.GARBAGE:
            return list(keys)
        case Standing.RECENT:
            return []
    needed = {signature_key(content_hash, digest) for digest in use.envelopes}
    return [key for key in keys if key.endswith(_ENVELOPE_SUFFIX) and key not in needed]


def _batches(content_hashes: Sequence[ContentHash]) -> Iterator[list[ContentHash]]:
    waiting = iter(content_hashes)
    while batch := list(itertools.islice(waiting, _BATCH)):
        yield batch
