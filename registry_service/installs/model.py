"""What a tenant has: an install of one version, with the rights it granted and its config."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from registry_service.catalog.model import Endpoint
from shared.identifiers import ContentHash, InstallId, RegistryId, TenantId, VersionId
from shared.trust.envelope import SignedSubject
from shared.trust.verdict_memory import StoredSignature
from shared.trust.verification import SigningPolicy


class InstallStatus(StrEnum):
    """The `status` column."""

    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantInstall:
    """An install with what its version says."""

    tenant_id: TenantId
    install_id: InstallId
    registry_id: RegistryId
    publisher: str
    name: str
    version_id: VersionId
    version: str
    runtime: str
    content_hash: ContentHash
    signature_digest: str
    signed_publisher: str
    """Whose name the signature holds: an extension may have been transferred since."""
    signature_seen_at: datetime
    """When the registry first saw the signature: certificates are judged at that moment."""
    own_signing_policy: SigningPolicy | None
    """The tenant's own; None when it has the platform's."""
    endpoints: tuple[Endpoint, ...]
    granted_capabilities: frozenset[str]
    config_json: str
    status: InstallStatus
    revision: int
    """Grows with every change of the install."""
    created_at: datetime
    updated_at: datetime

    @property
    def signature(self) -> StoredSignature:
        """What its bundle's signature must say, and which one it is."""
        return StoredSignature(
            subject=SignedSubject(
                content_hash=self.content_hash,
                publisher=self.signed_publisher,
                name=self.name,
                version=self.version,
                runtime=self.runtime,
            ),
            digest=self.signature_digest,
            seen_at=self.signature_seen_at,
        )

    @property
    def terms(self) -> "InstallTerms":
        """What of it can be changed."""
        return InstallTerms(
            version_id=self.version_id,
            granted_capabilities=self.granted_capabilities,
            config_json=self.config_json,
            status=self.status,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallTerms:
    """What a tenant decides about an install."""

    version_id: VersionId
    granted_capabilities: frozenset[str]
    config_json: str = "{}"
    status: InstallStatus = InstallStatus.ENABLED
