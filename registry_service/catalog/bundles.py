"""Taking in a bundle's bytes: bounded while they stream, read strictly before they are stored."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from registry_service.catalog.garbage import BundleReferences
from shared.bundles.archive import content_hash_of, read_bundle
from shared.bundles.fetch import BundleFile, bundle_index, bundle_stream, fetch_bundle
from shared.bundles.layout import DEFAULT_LIMITS, BundleLimits, bundle_key
from shared.bundles.store import BundleStore
from shared.errors import ArgumentInvalidError, BundleTooLargeError, ContentHashMismatchError
from shared.identifiers import ContentHash

MAX_CHUNK_BYTES: Final = 1024 * 1024
PARALLEL_READS: Final = 2
"""Bundles that are unpacked at once: each may need the unpacked limit in memory."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A bundle that is stored now; `created` is false when the same bytes were stored before."""

    content_hash: ContentHash
    size_bytes: int
    created: bool


class Bundles:
    """The archives, by content hash."""

    def __init__(
        self,
        *,
        store: BundleStore,
        references: BundleReferences,
        limits: BundleLimits = DEFAULT_LIMITS,
    ) -> None:
        self._store = store
        self._references = references
        self._limits = limits
        self._reads = asyncio.Semaphore(PARALLEL_READS)

    async def upload(self, chunks: AsyncIterator[bytes], *, declared: ContentHash | None) -> Upload:
        """Stores a bundle under its content hash.

        Args:
            chunks: the archive's bytes, in pieces of at most 1 MiB.
            declared: what the sender computed, if it did.

        Raises:
            ArgumentInvalidError: a chunk is too large, or there is nothing.
            BundleTooLargeError: the bytes, packed or unpacked, pass a limit.
            BundleInvalidError: they are not a well-formed bundle.
            ContentHashMismatchError: they are not what was declared.
            BundleStoreUnavailableError: the store does not answer.
            RegistryUnavailableError: the database does not answer.
        """
        data = await self._collect(chunks)
        content_hash = content_hash_of(data)
        if declared is not None and declared != content_hash:
            raise ContentHashMismatchError(
                "The bytes that arrived are not those that the sender hashed: send them again.",
                declared=declared,
                computed=content_hash,
            )
        await self.read(data)
        await self._references.note_upload(content_hash)
        created = await self._store.put_if_absent(bundle_key(content_hash), data)
        return Upload(content_hash, len(data), created)

    async def fetch(self, content_hash: ContentHash) -> bytes:
        """The stored archive, its hash checked.

        Raises:
            BundleNotFoundError: there is none.
            ContentHashMismatchError: the stored bytes are others.
            BundleStoreUnavailableError: the store does not answer.
        """
        return await fetch_bundle(self._store, content_hash, limits=self._limits)

    async def read(self, data: bytes) -> dict[str, bytes]:
        """Unpacks an archive strictly, off the event loop.

        Raises:
            BundleTooLargeError: it unpacks to too much.
            BundleInvalidError: it deviates from a well-formed bundle.
        """
        async with self._reads:
            return dict(await asyncio.to_thread(read_bundle, data, limits=self._limits))

    def stream(self, content_hash: ContentHash) -> AsyncIterator[bytes]:
        """The stored archive in chunks. Raises: as `fetch`."""
        return bundle_stream(self._store, content_hash, limits=self._limits)

    async def index(self, content_hash: ContentHash) -> Sequence[BundleFile]:
        """The files of a stored archive, by path. Raises: as `fetch` and `read`."""
        return bundle_index(await self.read(await self.fetch(content_hash)))

    async def _collect(self, chunks: AsyncIterator[bytes]) -> bytes:
        data = bytearray()
        async for chunk in chunks:
            if len(chunk) > MAX_CHUNK_BYTES:
                raise ArgumentInvalidError(
                    f"A chunk has more than {MAX_CHUNK_BYTES} bytes.", what="chunk"
                )
            data += chunk
            if len(data) > self._limits.packed_bytes:
                raise BundleTooLargeError(
                    f"The bundle is larger than {self._limits.packed_bytes} bytes."
                )
        if not data:
            raise ArgumentInvalidError("The upload carries no bytes.", what="chunk")
        return bytes(data)
