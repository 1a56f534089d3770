"""The catalogue: finding extensions and versions, and saying which are no longer recommended."""

from collections.abc import Sequence
from typing import Final

from registry_service.catalog.model import EntryFilter, ExtensionVersion, RegistryEntry
from registry_service.catalog.precedence import highest_first
from registry_service.catalog.reference import ExtensionReference
from registry_service.catalog.store import CatalogStore
from registry_service.paging import page_size_of, page_token, position_of
from shared.errors import (
    ArgumentInvalidError,
    RegistryEntryNotFoundError,
    VersionNotFoundError,
)
from shared.identifiers import parse_extension_name, parse_publisher

MAX_LABEL: Final = 200
MAX_DESCRIPTION: Final = 2000
MAX_REASON: Final = 500
DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 200


class Catalog:
    """What there is to install."""

    def __init__(self, *, store: CatalogStore) -> None:
        self._store = store

    async def create_entry(
        self, *, publisher: str, name: str, display_name: str, description: str
    ) -> RegistryEntry:
        """Adds an entry.

        Raises:
            ArgumentInvalidError: a field breaks its grammar.
            RegistryEntryExistsError: publisher and name are taken.
        """
        return await self._store.create_entry(
            publisher=parse_publisher(publisher),
            name=parse_extension_name(name),
            display_name=_text(display_name, "display_name", MAX_LABEL),
            description=_text(description, "description", MAX_DESCRIPTION, also="\n\t"),
        )

    async def entry(self, reference: ExtensionReference) -> RegistryEntry:
        """The entry.

        Raises:
            RegistryEntryNotFoundError: there is none.
        """
        entry = await self._store.find_entry(reference)
        if entry is None:
            raise RegistryEntryNotFoundError
        return entry

    async def list_entries(
        self, wanted: EntryFilter, *, page_size: int, token: str
    ) -> tuple[Sequence[RegistryEntry], str]:
        """One page by publisher and name, and the token of the next (empty: none).

        Raises:
            ArgumentInvalidError: a filter is too long, or the page too large.
            PageTokenInvalidError: the token is of another listing.
        """
        _text(wanted.publisher, "publisher", MAX_LABEL)
        _text(wanted.text, "text", MAX_LABEL)
        limit = page_size_of(page_size, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        listing = ("entries", wanted.publisher, wanted.text)
        position = position_of(token, listing, parts=2)
        after = (position[0], position[1]) if position else None
        found = await self._store.list_entries(wanted, after=after, limit=limit + 1)
        page = found[:limit]
        more = len(found) > limit
        return page, page_token(listing, (page[-1].publisher, page[-1].name)) if more else ""

    async def version(self, reference: ExtensionReference, version: str) -> ExtensionVersion:
        """The version; empty text means the entry's latest.

        Raises:
            VersionNotFoundError: there is no such version, or no such entry.
        """
        possible = len(version) <= MAX_LABEL and version.isprintable()
        found = await self._store.find_version(reference, version) if possible else None
        if found is None:
            raise VersionNotFoundError
        return found

    async def versions(self, reference: ExtensionReference) -> Sequence[ExtensionVersion]:
        """All versions of an entry, highest first.

        Raises:
            RegistryEntryNotFoundError: there is no such entry.
        """
        entry = await self.entry(reference)
        found = {each.version: each for each in await self._store.list_versions(entry.registry_id)}
        return [found[version] for version in highest_first(found)]

    async def deprecate(
        self, reference: ExtensionReference, version: str, reason: str
    ) -> ExtensionVersion:
        """Marks a version as no longer recommended; installing it then warns.

        Raises:
            ArgumentInvalidError: the version is not named, or the reason is empty or too long.
            VersionNotFoundError: there is no such version.
        """
        if not version:
            raise ArgumentInvalidError("Name the version to deprecate.", what="version")
        if not reason.strip():
            raise ArgumentInvalidError("Say why, in a sentence.", what="reason")
        found = await self.version(reference, version)
        await self._store.deprecate(found.version_id, _text(reason, "reason", MAX_REASON))
        return await self.version(reference, version)


def _text(text: str, what: str, max_length: int, also: str = "") -> str:
    """Checks text that people will read: bounded, and nothing that steers a terminal."""
    if len(text) > max_length:
        raise ArgumentInvalidError(f"{what} has more than {max_length} characters.", what=what)
    if not all(char.isprintable() or char in also for char in text):
        raise ArgumentInvalidError(f"{what} has control characters.", what=what)
    return text
