"""Resolving an install for a request: what to serve, and a signed grant to run it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from registry_service.catalog.model import VersionStatus
from registry_service.catalog.reference import ExtensionReference
from registry_service.catalog.signing import SignatureGate
from registry_service.installs.model import TenantInstall
from registry_service.installs.store import InstallStore
from shared.clock import Clock
from shared.errors import InstallNotFoundError, VersionQuarantinedError
from shared.identifiers import TenantId
from shared.tokens.invocation_grant import GRANT_LIFETIME, InvocationGrant, issue_grant
from shared.tokens.keys import SigningKey
from shared.trust.verification import SigningPolicy

MAX_CACHED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Resolution:
    """An enabled install, and the grant for a runner."""

    install: TenantInstall
    invocation_grant: str
    grant_expires_at: datetime


class Resolver:
    """Answers the gateways; remembers the grants it signed for the first half of their life."""

    def __init__(
        self, *, store: InstallStore, gate: SignatureGate, key: SigningKey, clock: Clock
    ) -> None:
        self._store = store
        self._gate = gate
        self._key = key
        self._clock = clock
        self._issued: dict[TenantInstall, Resolution] = {}

    async def resolve(self, tenant_id: TenantId, reference: ExtensionReference) -> Resolution:
        """The install with a grant that lives for at least half a lifetime.

        The database is always asked, so what is disabled now is not resolved any more.

        Raises:
            InstallNotFoundError: the tenant has no such install, or it is disabled.
            VersionQuarantinedError: operators stopped its version.
            BundleUntrustedError: its signature does not satisfy the tenant's policy any more.
            BundleStoreUnavailableError: its signature, which nobody asked for yet, is out of reach.
        """
        install = await self._store.resolve(tenant_id, reference)
        if install is None:
            raise InstallNotFoundError
        if install.version_status is VersionStatus.QUARANTINED:
            raise VersionQuarantinedError
        policy = await self._gate.admit(install.signature, install.own_signing_policy)
        issued = self._issued.get(install)  # by all of it: any change needs another grant
        if issued and issued.grant_expires_at - self._clock.now() >= GRANT_LIFETIME / 2:
            return issued
        if len(self._issued) >= MAX_CACHED:
            self._issued.clear()
        issued = self._issued[install] = self._issue(install, policy)
        return issued

    def _issue(self, install: TenantInstall, policy: SigningPolicy) -> Resolution:
        expires_at = (self._clock.now() + GRANT_LIFETIME).replace(microsecond=0)
        grant = InvocationGrant(
            tenant_id=install.tenant_id,
            install_id=install.install_id,
            registry_id=install.registry_id,
            version_id=install.version_id,
            publisher=install.signed_publisher,
            name=install.name,
            version=install.version,
            runtime=install.runtime,
            content_hash=install.content_hash,
            signature_digest=install.signature_digest,
            config_digest=hashlib.sha256(install.config_json.encode()).hexdigest(),
            capabilities=install.granted_capabilities,
            expires_at=expires_at,
            revision=install.revision,
            published_at=install.signature_seen_at,
            signing_policy=policy,
        )
        return Resolution(install, issue_grant(grant, self._key), expires_at)
