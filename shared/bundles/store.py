"""Where bundles lie: the port that every store fills."""

from collections.abc import AsyncIterator
from typing import Protocol


class BundleStore(Protocol):
    """Immutable objects under string keys (grammar: `shared.bundles.layout.parse_key`).

    No store is trusted to keep bytes unchanged: who reads a bundle checks its hash
    (`shared.bundles.fetch`).

    Every method raises:
        ArgumentInvalidError: the key is malformed.
        BundleStoreUnavailableError: the disk, the network or the server failed, or refused us.
    """

    async def put_if_absent(self, key: str, data: bytes) -> bool:
        """Stores `data` durably unless the key exists; of several writers at once one wins.

        Returns:
            Whether this call stored them. False means that the key exists now. (A store may
            answer False for its own write when it had to send it twice.)
        """
        ...

    async def get(self, key: str, *, max_bytes: int) -> bytes:
        """The whole object.

        Raises:
            BundleNotFoundError: there is no such key.
            BundleTooLargeError: the object is larger than `max_bytes`.
        """
        ...

    async def size(self, key: str) -> int | None:
        """The object's size in bytes, or None if there is no such key."""
        ...

    async def delete(self, key: str) -> None:
        """Removes the object; does nothing if there is none."""
        ...

    def list_keys(self, prefix: str) -> AsyncIterator[str]:
        """The keys that start with `prefix` (any string), each once, in no promised order."""
        ...

    async def check(self) -> None:
        """Proves that the store answers; for readiness probes."""
        ...
