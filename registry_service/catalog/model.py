"""What the catalogue knows: entries, versions, and the bundle behind each version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.identifiers import ContentHash, RegistryId, VersionId
from shared.trust.verification import SignatureVerification


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route that a manifest declares."""

    method: str
    path: str
    handler: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    """An extension, whatever its versions. `latest_version` is empty before the first release."""

    registry_id: RegistryId
    publisher: str
    name: str
    display_name: str
    description: str
    latest_version: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Why a version is no longer recommended, and since when."""

    reason: str
    deprecated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBundle:
    """The archive of a version, and what is known about its signature."""

    content_hash: ContentHash
    size_bytes: int
    storage_key: str
    signature_digest: str
    """SHA-256 (hex) of the stored envelope; empty when unsigned."""
    signature: SignatureVerification


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """What is about to be catalogued."""

    registry_id: RegistryId
    version: str
    runtime: str
    main_entry: str
    manifest_json: str
    endpoints: Sequence[Endpoint]
    ui: Mapping[str, object] | None
    capabilities: Sequence[str]
    bundle: StoredBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionVersion:
    """A published version; immutable, but for `deprecation`."""

    version_id: VersionId
    registry_id: RegistryId
    publisher: str
    name: str
    version: str
    runtime: str
    manifest_json: str
    endpoints: tuple[Endpoint, ...]
    capabilities: tuple[str, ...]
    bundle: StoredBundle
    deprecation: Deprecation | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to list; empty fields filter nothing."""

    publisher: str = ""
    text: str = ""
    """Part of name, display name or description, in any case."""
