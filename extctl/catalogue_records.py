"""What the registry tells of the catalogue, as commands show it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """An extension, whatever its versions."""

    registry_id: str
    extension: str
    latest_version: str
    """Empty when there is none that can be installed."""
    display_name: str
    description: str
    updated_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionState:
    """What became of a version; a reason is empty where the thing did not happen."""

    extension: str
    version: str
    content_hash: str
    status: str
    """published, yanked or quarantined; a deprecated version is published."""
    deprecation: str
    replacement: str
    yank: str
    quarantine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a quarantine stopped; moments are ISO 8601 in UTC, empty when there is none."""

    receipt_id: str
    extension: str
    version: str
    content_hash: str
    reason: str
    actor: str
    quarantined_at: str
    effective_by: str
    """After it no grant that was out is valid any more."""
    lifted_at: str
    installs: int
    enabled_installs: int
    last_execution_at: str
    same_content: tuple[str, ...]
    """Other versions with the same bytes, which are not stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Somebody changed the catalogue."""

    event_id: str
    at: str
    actor: str
    action: str
    about: str
    detail: Mapping[str, str]
