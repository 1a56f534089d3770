"""Invocation grants: for which tenant, install, version and rights a runner may run something.

Signed by the registry when an install is resolved, and valid for half a minute at most. The runner
checks it before it runs anything and shows it again with every storage and log call, so a runner
that falls can hurt only the invocations it holds.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from shared.clock import Clock
from shared.errors import ExtensionError, InvocationGrantInvalidError
from shared.identifiers import (
    ContentHash,
    InstallId,
    RegistryId,
    TenantId,
    VersionId,
    parse_content_hash,
)
from shared.tokens.keys import SigningKey, VerifyingKey
from shared.trust.verification import SigningPolicy

GRANT_LIFETIME = timedelta(seconds=25)
AUDIENCE = "extension-invocation"
ROLE = "registry"
LEEWAY = timedelta(seconds=5)
MAX_GRANT_LENGTH = 8192


@dataclass(frozen=True, slots=True)
class InvocationGrant:
    """What the registry allows; all of it is signed."""

    tenant_id: TenantId
    install_id: InstallId
    registry_id: RegistryId
    version_id: VersionId
    publisher: str
    name: str
    version: str
    runtime: str
    content_hash: ContentHash
    signature_digest: str
    """SHA-256 (hex) of the stored signature envelope; empty when the bundle is unsigned."""
    config_digest: str
    """SHA-256 (hex) of the install's config text (UTF-8)."""
    capabilities: frozenset[str]
    expires_at: datetime
    revision: int = 0
    """Of the install; a change of it makes grants of earlier revisions void."""
    published_at: datetime | None = None
    """When the registry first saw the signature: certificates are judged at that moment. None, as
    an older registry leaves it, means now."""
    signing_policy: SigningPolicy = SigningPolicy.OFF
    """What the registry asks for this tenant; the stricter one of this and the runner's counts."""


def issue_grant(grant: InvocationGrant, key: SigningKey) -> str:
    """Signs `grant` with the registry's key."""
    claims = {
        "aud": AUDIENCE,
        "exp": int(grant.expires_at.timestamp()),
        "tenant": str(grant.tenant_id),
        "install": str(grant.install_id),
        "registry": str(grant.registry_id),
        "version_id": str(grant.version_id),
        "publisher": grant.publisher,
        "name": grant.name,
        "version": grant.version,
        "runtime": grant.runtime,
        "hash": grant.content_hash,
        "signature": grant.signature_digest,
        "config": grant.config_digest,
        "caps": sorted(grant.capabilities),
        "revision": grant.revision,
        "policy": grant.signing_policy.value,
    }
    if grant.published_at is not None:
        claims["published"] = int(grant.published_at.timestamp())
    return jwt.encode(claims, key.private, "EdDSA", headers={"kid": key.key_id})


class InvocationGrantVerifier:
    """Checks grants against the registry's public keys; remembers verified ones."""

    def __init__(
        self, *, keys: Mapping[str, VerifyingKey], clock: Clock, max_cached: int = 4096
    ) -> None:
        self._keys = {key_id: key for key_id, key in keys.items() if key.role == ROLE}
        self._clock = clock
        self._max_cached = max_cached
        self._verified: dict[str, InvocationGrant] = {}

    def verify(self, token: str, *, expired_since: timedelta = timedelta()) -> InvocationGrant:
        """The grant that `token` holds.

        Args:
            token: what `issue_grant` made.
            expired_since: how long ago the grant may have expired; the execution log accepts
                what finished before, all else takes live grants only.

        Raises:
            InvocationGrantInvalidError: it is not the registry's own, or expired.
        """
        grant = self._verified.get(token)
        if grant is None:
            grant = self._parse(token)
            if len(self._verified) >= self._max_cached:
                self._verified.clear()
            self._verified[token] = grant
        if self._clock.now() >= grant.expires_at + LEEWAY + expired_since:
            raise InvocationGrantInvalidError("The invocation grant has expired.")
        return grant

    def _parse(self, token: str) -> InvocationGrant:
        if len(token) > MAX_GRANT_LENGTH:
            raise InvocationGrantInvalidError("The invocation grant is too long.")
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token,
                key.public,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                options={"require": ["exp", "aud"], "verify_exp": False},
            )
            return InvocationGrant(
                tenant_id=TenantId(uuid.UUID(claims["tenant"])),
                install_id=InstallId(uuid.UUID(claims["install"])),
                registry_id=RegistryId(uuid.UUID(claims["registry"])),
                version_id=VersionId(uuid.UUID(claims["version_id"])),
                publisher=str(claims["publisher"]),
                name=str(claims["name"]),
                version=str(claims["version"]),
                runtime=str(claims["runtime"]),
                content_hash=parse_content_hash(claims["hash"]),
                signature_digest=str(claims["signature"]),
                config_digest=str(claims["config"]),
                capabilities=frozenset(claims["caps"]),
                expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
                revision=int(claims.get("revision", 0)),
                published_at=_moment(claims.get("published")),
                signing_policy=SigningPolicy(claims.get("policy", SigningPolicy.OFF)),
            )
        except (jwt.InvalidTokenError, ExtensionError, KeyError, ValueError, TypeError):
            raise InvocationGrantInvalidError("The invocation grant is not valid.") from None


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
