"""What the catalogue knows: entries, versions, and the bundle behind each version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.bundles.sbom import Sbom
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


class CheckResult(StrEnum):
    """How a check of a publish ended."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PublishCheck:
    """One check's result, and a sentence for the publisher."""

    name: str
    result: CheckResult
    detail: str


class VersionStatus(StrEnum):
    """The `status` column: the gravest of what happened to a version."""

    PUBLISHED = "published"
    DEPRECATED = "deprecated"
    YANKED = "yanked"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Why a version is no longer recommended, since when, and what to use instead (or "")."""

    reason: str
    deprecated_at: datetime
    replacement: str


@dataclass(frozen=True, slots=True)
class Retraction:
    """Why a version was yanked or quarantined, when and by whom."""

    reason: str
    retracted_at: datetime
    actor: str


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
    """What is about to be catalogued. `version` may be `X.Y.*`: the next patch of X.Y."""

    registry_id: RegistryId
    publisher: str
    """Whom the entry belongs to, by what the manifest says."""
    owner_key_id: str
    """The key of the owner who publishes it."""
    version: str
    runtime: str
    main_entry: str
    manifest_json: str
    endpoints: Sequence[Mapping[str, object]]
    """As the manifest has them: method, path, handler, and what else it says of each."""
    ui: Mapping[str, object] | None
    capabilities: Sequence[str]
    bundle: StoredBundle
    checks: Sequence[PublishCheck]
    sbom: Sbom | None
    precompiled: Mapping[str, str]
    """Keys of stored machine code, by what it was compiled for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionVersion:
    """A published version; immutable, but for what became of it since."""

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
    signed_publisher: str
    """Whom the signature names: the publisher at the time, if the entry changed hands since."""
    status: VersionStatus
    deprecation: Deprecation | None
    yank: Retraction | None
    quarantine: Retraction | None
    checks: tuple[PublishCheck, ...]
    sbom_format: str
    """"spdx", "cyclonedx", or empty when there is no bill of materials."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to list; empty fields filter nothing."""

    publisher: str = ""
    text: str = ""
    """Part of name, display name or description, in any case."""
    runtime: str = ""
    """Of the latest version."""
    capability: str = ""
    """One that the latest version asks for."""
    status: VersionStatus | None = None
    """Of any version; PUBLISHED finds deprecated ones too, as they can be installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineReceipt:
    """What a quarantine stopped."""

    receipt_id: UUID
    version_id: VersionId
    publisher: str
    name: str
    version: str
    content_hash: ContentHash
    reason: str
    actor: str
    quarantined_at: datetime
    lifted_at: datetime | None
    installs: int
    """How many installs, over all tenants, had the version when it was stopped."""
    enabled_installs: int
    last_execution_at: datetime | None
    """When a guest of the version last started, of what the execution log knows by now."""
    same_content: tuple[str, ...]
    """Other versions with the same bytes, as "publisher.name version": these are not stopped."""
