"""Deprecating and yanking: what a publisher says about a version that is out."""

from collections.abc import Awaitable
from dataclasses import dataclass

from semver import Version

from registry_service.audit.model import operator_actor, owner_actor
from registry_service.catalog.catalog import Catalog
from registry_service.catalog.life_cycle_store import LifeCycleStore
from registry_service.catalog.model import ExtensionVersion
from registry_service.catalog.readable_text import MAX_LABEL, readable, reason_of
from registry_service.catalog.reference import ExtensionReference
from registry_service.publishers.ownership import Ownership
from shared.errors import ArgumentInvalidError, RegistryEntryNotFoundError, VersionNotFoundError
from shared.tokens.publisher_proof import PublisherAction


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an owner, by a proof; or an operator, who runs the platform and needs none."""

    name: str
    """What an operator calls itself, for the audit log."""
    proof: str
    """A publisher's tool sends it always; given, it must hold."""


class LifeCycle:
    """What can be said about a version, and taken back."""

    def __init__(self, *, store: LifeCycleStore, catalog: Catalog, ownership: Ownership) -> None:
        self._store = store
        self._catalog = catalog
        self._ownership = ownership

    async def deprecate(
        self,
        reference: ExtensionReference,
        version: str,
        *,
        reason: str,
        replacement: str,
        caller: Caller,
    ) -> ExtensionVersion:
        """Marks a version as no longer recommended; installing it then warns.

        Args:
            reference: the entry.
            version: which version; none is the default.
            reason: why, in a sentence; the last one stays.
            replacement: what to use instead: another version of the same extension, or another
                extension as "publisher.name"; may be empty.
            caller: who asks.

        Raises:
            ArgumentInvalidError: the version is not named, the reason says nothing, or the
                replacement does not exist.
            VersionNotFoundError: there is no such version.
            PublisherNotOwnedError: a proof was given that does not hold.
        """
        reason = reason_of(reason)
        found = await self._named(reference, version)
        replacement = await self._replacement(found, replacement)
        actor = await self._actor(found, PublisherAction.DEPRECATE, caller)
        return await self._after(
            found,
            self._store.deprecate(
                found.version_id, reason=reason, replacement=replacement, actor=actor
            ),
        )

    async def undeprecate(
        self, reference: ExtensionReference, version: str, *, caller: Caller
    ) -> ExtensionVersion:
        """Takes a deprecation back. Raises: as `deprecate`."""
        found = await self._named(reference, version)
        actor = await self._actor(found, PublisherAction.UNDEPRECATE, caller)
        return await self._after(found, self._store.undeprecate(found.version_id, actor=actor))

    async def yank(
        self, reference: ExtensionReference, version: str, *, reason: str, caller: Caller
    ) -> ExtensionVersion:
        """Blocks new installs of a version, and updates to it; the first reason stays.

        Raises:
            ArgumentInvalidError: the version is not named, or the reason says nothing.
            VersionNotFoundError: there is no such version.
            PublisherNotOwnedError: a proof was given that does not hold.
        """
        reason = reason_of(reason)
        found = await self._named(reference, version)
        actor = await self._actor(found, PublisherAction.YANK, caller)
        return await self._after(
            found, self._store.yank(found.version_id, reason=reason, actor=actor)
        )

    async def unyank(
        self, reference: ExtensionReference, version: str, *, caller: Caller
    ) -> ExtensionVersion:
        """Takes a yank back. Raises: as `yank`."""
        found = await self._named(reference, version)
        actor = await self._actor(found, PublisherAction.UNYANK, caller)
        return await self._after(found, self._store.unyank(found.version_id, actor=actor))

    async def _named(self, reference: ExtensionReference, version: str) -> ExtensionVersion:
        return await named_version(self._catalog, reference, version)

    async def _actor(
        self, version: ExtensionVersion, action: PublisherAction, caller: Caller
    ) -> str:
        if not caller.proof:
            return operator_actor(caller.name)
        key_id = await self._ownership.prove(
            caller.proof,
            publisher=version.publisher,
            action=action,
            about=f"{version.publisher}.{version.name} {version.version}",
        )
        return owner_actor(key_id)

    async def _replacement(self, version: ExtensionVersion, text: str) -> str:
        if not text:
            return ""
        readable(text, "replacement", MAX_LABEL)
        itself = (version.version, f"{version.publisher}.{version.name}")
        try:
            if text.lower() in itself:
                raise ArgumentInvalidError("A version cannot replace itself.", what="replacement")
            if Version.is_valid(text):
                by_id = ExtensionReference(id=version.registry_id)
                return (await self._catalog.version(by_id, text)).version
            entry = await self._catalog.entry(ExtensionReference.parse(text))
        except (VersionNotFoundError, RegistryEntryNotFoundError):
            raise ArgumentInvalidError(
                "The replacement is neither a version of this extension nor an extension: name "
                'one as "1.2.3" or "publisher.name".',
                what="replacement",
            ) from None
        return f"{entry.publisher}.{entry.name}"

    async def _after(self, version: ExtensionVersion, done: Awaitable[None]) -> ExtensionVersion:
        await done
        by_id = ExtensionReference(id=version.registry_id)
        return await self._catalog.version(by_id, version.version)


async def named_version(
    catalog: Catalog, reference: ExtensionReference, version: str
) -> ExtensionVersion:
    """The version that a change is about: never just the latest, which may be another by then.

    Raises:
        ArgumentInvalidError: none is named.
        VersionNotFoundError: there is no such version.
    """
    if not version:
        raise ArgumentInvalidError("Name the version that it is about.", what="version")
    return await catalog.version(reference, version)
