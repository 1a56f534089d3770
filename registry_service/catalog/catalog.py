"""The catalogue: making entries, and finding extensions and versions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from registry_service.catalog.model import EntryFilter, ExtensionVersion, RegistryEntry
from registry_service.catalog.precedence import highest_first
from registry_service.catalog.readable_text import MAX_DESCRIPTION, MAX_LABEL, readable
from registry_service.catalog.reference import ExtensionReference
from registry_service.catalog.store import CatalogStore
from registry_service.paging import page_size_of, page_token, position_of
from registry_service.publishers.ownership import Ownership
from shared.capabilities import canonical_capability
from shared.errors import RegistryEntryNotFoundError, VersionNotFoundError
from shared.identifiers import parse_extension_name, parse_publisher
from shared.tokens.publisher_proof import PublisherAction

DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 200


class Catalog:
    """What there is to install."""

    def __init__(self, *, store: CatalogStore, ownership: Ownership) -> None:
        self._store = store
        self._ownership = ownership

    async def create_entry(
        self, *, publisher: str, name: str, display_name: str, description: str, proof: str
    ) -> RegistryEntry:
        """Adds an entry for a publisher, one of whose owners proves to want it.

        Raises:
            ArgumentInvalidError: a field breaks its grammar.
            PublisherNotFoundError: there is no such publisher.
            PublisherNotOwnedError: no owner proved to want it.
            RegistryEntryExistsError: publisher and name are taken.
        """
        parse_publisher(publisher)
        parse_extension_name(name)
        readable(display_name, "display_name", MAX_LABEL)
        readable(description, "description", MAX_DESCRIPTION, also="\n\t")
        owner_key_id = await self._ownership.prove(
            proof,
            publisher=publisher,
            action=PublisherAction.CREATE_ENTRY,
            about=f"{publisher}.{name}",
        )
        return await self._store.create_entry(
            publisher=publisher,
            name=name,
            display_name=display_name,
            description=description,
            owner_key_id=owner_key_id,
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
            ArgumentInvalidError: a filter is too long or names no capability, or the page is too
                large.
            PageTokenInvalidError: the token is of another listing.
        """
        readable(wanted.publisher, "publisher", MAX_LABEL)
        readable(wanted.text, "text", MAX_LABEL)
        readable(wanted.runtime, "runtime", MAX_LABEL)
        if wanted.capability:
            wanted = replace(wanted, capability=canonical_capability(wanted.capability))
        limit = page_size_of(page_size, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        listing = (
            "entries", wanted.publisher, wanted.text, wanted.runtime, wanted.capability,
            wanted.status or "",
        )  # fmt: skip
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
