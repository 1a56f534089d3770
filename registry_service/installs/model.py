"""What a tenant has: an install of one version, with the rights it granted and its config."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from registry_service.catalog.model import Endpoint, VersionStatus
from shared.egress_rules import EgressRule
from shared.identifiers import ContentHash, InstallId, RegistryId, TenantId, VersionId
from shared.trust.envelope import SignedSubject
from shared.trust.verdict_memory import StoredSignature
from shared.trust.verification import SigningPolicy


class InstallStatus(StrEnum):
    """The `status` column."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class InstallAction(StrEnum):
    """What a revision came from."""

    INSTALL = "install"
    UPDATE = "update"
    CONFIG = "config"
    EGRESS = "egress"
    ENABLE = "enable"
    DISABLE = "disable"
    ROLLBACK = "rollback"
    GRANTS = "grants"


@dataclass(frozen=True, slots=True, order=True)
class GrantedCapability:
    """A capability with who granted it, and when."""

    capability: str
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallTerms:
    """What a tenant decides about an install."""

    version_id: VersionId
    grants: tuple[GrantedCapability, ...]
    """Each capability once, sorted."""
    config_json: str = "{}"
    egress_rules: tuple[EgressRule, ...] = ()
    status: InstallStatus = InstallStatus.ENABLED

    @property
    def granted_capabilities(self) -> frozenset[str]:
        """The capabilities alone."""
        return frozenset(grant.capability for grant in self.grants)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantInstall:
    """An install with what its version says."""

    tenant_id: TenantId
    install_id: InstallId
    registry_id: RegistryId
    publisher: str
    name: str
    version: str
    version_status: VersionStatus
    signed_publisher: str
    """Whose name the signature holds: an extension may have been transferred since."""
    runtime: str
    content_hash: ContentHash
    signature_digest: str
    signature_seen_at: datetime
    """When the registry first saw the signature: certificates are judged at that moment."""
    own_signing_policy: SigningPolicy | None
    """The tenant's own; None when it has the platform's."""
    endpoints: tuple[Endpoint, ...]
    requested_capabilities: frozenset[str]
    """What the version's manifest lists."""
    terms: InstallTerms
    revision: int
    """Grows by one with every change of the install."""
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
    def version_id(self) -> VersionId:
        """Of `terms`."""
        return self.terms.version_id

    @property
    def granted_capabilities(self) -> frozenset[str]:
        """Of `terms`."""
        return self.terms.granted_capabilities

    @property
    def config_json(self) -> str:
        """Of `terms`."""
        return self.terms.config_json

    @property
    def status(self) -> InstallStatus:
        """Of `terms`."""
        return self.terms.status


@dataclass(frozen=True, slots=True)
class Change:
    """What an install is to become, and what that is called."""

    terms: InstallTerms
    action: InstallAction


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRevision:
    """What one change left behind."""

    revision: int
    actor: str
    at: datetime
    action: InstallAction
    version: str
    terms: InstallTerms
