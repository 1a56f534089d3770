"""What a cache of installs must be told: the events of InstallService.WatchInstalls."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.identifiers import ContentHash, InstallId, RegistryId, TenantId, VersionId

HEARTBEAT_SECONDS: Final = 10.0
"""How often a stream of changes says something, at least."""


@dataclass(frozen=True, slots=True)
class Resync:
    """Something may have been missed: forget everything."""


@dataclass(frozen=True, slots=True)
class InstallChange:
    """An install was made, changed or removed; grants for an earlier revision are void."""

    tenant_id: TenantId
    install_id: InstallId
    registry_id: RegistryId
    revision: int


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A version was quarantined, or freed again."""

    version_id: VersionId
    content_hash: ContentHash
    quarantined: bool


Change: TypeAlias = Resync | InstallChange | VersionChange
