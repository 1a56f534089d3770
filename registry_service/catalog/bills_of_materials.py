"""What versions are made of: each one's document, and who uses a component."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from registry_service.catalog.bundles import Bundles
from registry_service.catalog.catalog import Catalog
from registry_service.catalog.reference import ExtensionReference
from registry_service.paging import page_size_of, page_token, position_of
from shared.errors import ArgumentInvalidError, SbomNotFoundError

_MAX_COMPONENT: Final = 512
_DEFAULT_PAGE: Final = 50
_LARGEST_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class ComponentUse:
    """A version of an extension that contains a component; in the order of a listing."""

    publisher: str
    name: str
    version: str
    component: str
    component_version: str
    package_url: str


class ComponentStore(Protocol):
    """Every method may raise RegistryUnavailableError."""

    async def find_uses(
        self,
        component: str,
        component_version: str,
        *,
        after: Sequence[str] | None,
        limit: int,
    ) -> Sequence[ComponentUse]:
        """Uses of a component by name or package URL, those after the fields `after`."""
        ...


class BillsOfMaterials:
    """The bills of materials of all versions."""

    def __init__(self, *, catalog: Catalog, bundles: Bundles, components: ComponentStore) -> None:
        self._catalog = catalog
        self._bundles = bundles
        self._components = components

    async def document(self, reference: ExtensionReference, version: str) -> tuple[str, bytes]:
        """The format and the document, as published; empty text means the latest version.

        Raises:
            VersionNotFoundError: there is no such version.
            SbomNotFoundError: it has none.
            ContentHashMismatchError: the stored bundle is damaged.
        """
        found = await self._catalog.version(reference, version)
        if not found.sbom_format:
            raise SbomNotFoundError
        files = await self._bundles.read(await self._bundles.fetch(found.bundle.content_hash))
        return found.sbom_format, files[json.loads(found.manifest_json)["sbom"]]

    async def find_uses(
        self, component: str, component_version: str, *, page_size: int, token: str
    ) -> tuple[Sequence[ComponentUse], str]:
        """One page of the versions that contain a component, and the token of the next.

        Args:
            component: its name, or its package URL without a version.
            component_version: empty means any.
            page_size: 1 to 200; 0 means 50.
            token: of the page before; empty for the first.

        Raises:
            ArgumentInvalidError: the component is not named, or the page too large.
            PageTokenInvalidError: the token is of another listing.
        """
        for what, text in (("component", component), ("component_version", component_version)):
            if len(text) > _MAX_COMPONENT or not text.isprintable():
                raise ArgumentInvalidError(
                    f"{what} is at most {_MAX_COMPONENT} printable characters.", what=what
                )
        if not component:
            raise ArgumentInvalidError("Name the component to look for.", what="component")
        limit = page_size_of(page_size, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
        listing = ("component-uses", component, component_version)
        found = await self._components.find_uses(
            component,
            component_version,
            after=position_of(token, listing, parts=6),
            limit=limit + 1,
        )
        page = found[:limit]
        if len(found) <= limit:
            return page, ""
        last = page[-1]
        return page, page_token(
            listing,
            (last.publisher, last.name, last.version, last.component, last.component_version,
             last.package_url),
        )  # fmt: skip
