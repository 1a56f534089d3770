"""Where the catalogue lies: the port."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from registry_service.catalog.model import (
    EntryFilter,
    ExtensionVersion,
    NewVersion,
    RegistryEntry,
)
from registry_service.catalog.reference import ExtensionReference
from shared.identifiers import RegistryId


class CatalogStore(Protocol):
    """Entries and versions. Every method may raise RegistryUnavailableError."""

    async def create_entry(
        self,
        *,
        publisher: str,
        name: str,
        display_name: str,
        description: str,
        owner_key_id: str,
    ) -> RegistryEntry:
        """Adds an entry, as this owner of its publisher.

        Raises:
            RegistryEntryExistsError: publisher and name are taken.
            PublisherNotOwnedError: the owner is none any more.
        """
        ...

    async def find_entry(self, reference: ExtensionReference) -> RegistryEntry | None:
        """The entry with this registry id, or of this publisher and name."""
        ...

    async def list_entries(
        self, wanted: EntryFilter, *, after: tuple[str, str] | None, limit: int
    ) -> Sequence[RegistryEntry]:
        """Entries by publisher and name, those after (publisher, name) `after`."""
        ...

    async def add_version(
        self, new: NewVersion, *, put_objects: Callable[[], Awaitable[None]]
    ) -> ExtensionVersion:
        """Adds a version with its bundle, and moves the entry's latest version.

        Args:
            new: a version `X.Y.*` becomes the next patch of X.Y; of several at once each gets its
                own.
            put_objects: called while nobody may delete the bundle's objects, and before the
                version is there.

        Raises:
            ExtensionVersionAlreadyExistsError: the entry has this version.
            PublisherNotOwnedError: the entry changed hands, or the owner is none any more.
        """
        ...

    async def find_version(
        self, reference: ExtensionReference, version: str
    ) -> ExtensionVersion | None:
        """The version of this text; empty means the entry's latest."""
        ...

    async def list_versions(self, registry_id: RegistryId) -> Sequence[ExtensionVersion]:
        """All versions of an entry, in no order."""
        ...
