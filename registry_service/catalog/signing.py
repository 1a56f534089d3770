"""Judging a bundle's signature: at publish, at install, at every resolution, by today's trust."""

from registry_service.catalog.model import ExtensionVersion
from registry_service.policies.policies import Policies
from shared.bundles.layout import signature_key
from shared.bundles.store import BundleStore
from shared.clock import Clock
from shared.errors import BundleNotFoundError, BundleTooLargeError
from shared.identifiers import TenantId
from shared.trust.envelope import MAX_ENVELOPE_BYTES, SignedSubject
from shared.trust.trust_bundle_file import TrustBundleFile
from shared.trust.verdict_memory import StoredSignature, VerdictMemory
from shared.trust.verification import (
    SignatureVerification,
    SigningPolicy,
    enforce,
    verify_signature,
)


class SignatureGate:
    """Lets through what satisfies the signing policy."""

    def __init__(
        self, *, store: BundleStore, trust: TrustBundleFile, policies: Policies, clock: Clock
    ) -> None:
        self._store = store
        self._trust = trust
        self._policies = policies
        self._clock = clock
        self._memory = VerdictMemory(trust_bundle=trust, clock=clock)

    def judge(
        self, envelope: bytes | None, subject: SignedSubject
    ) -> tuple[SignatureVerification, list[str]]:
        """What is known about a signature that is seen for the first time, and warnings.

        Raises:
            BundleUntrustedError: it does not satisfy the platform's policy.
        """
        verification = verify_signature(
            envelope, trust=self._trust.current(), subject=subject, now=self._clock.now()
        )
        return verification, enforce(self._policies.signing_policy(None), verification)

    async def judge_version(self, version: ExtensionVersion, tenant_id: TenantId) -> list[str]:
        """Judges the signature of a published version again, for a tenant; gives warnings.

        Raises:
            BundleUntrustedError: it no longer satisfies the tenant's policy, or is not what was
                stored.
            BundleStoreUnavailableError: the store does not answer.
        """
        policy = (await self._policies.of(tenant_id)).signing_policy
        signature = StoredSignature(
            subject=SignedSubject(
                content_hash=version.bundle.content_hash,
                publisher=version.signed_publisher,
                name=version.name,
                version=version.version,
                runtime=version.runtime,
            ),
            digest=version.bundle.signature_digest,
            seen_at=version.bundle.signature.seen_at,
        )
        return await self._judge_stored(signature, policy)

    async def admit(self, signature: StoredSignature, own: SigningPolicy | None) -> SigningPolicy:
        """Lets a version that is installed run on; gives the policy that was applied.

        Args:
            signature: the version's.
            own: the tenant's own policy; None when it has the platform's.

        Raises: as `judge_version`.
        """
        policy = self._policies.signing_policy(own)
        await self._judge_stored(signature, policy)
        return policy

    async def _judge_stored(self, signature: StoredSignature, policy: SigningPolicy) -> list[str]:
        if policy is SigningPolicy.OFF:
            return []
        verification = await self._memory.verdict(signature, lambda: self._fetch(signature))
        return enforce(policy, verification)

    async def _fetch(self, signature: StoredSignature) -> bytes:
        key = signature_key(signature.subject.content_hash, signature.digest)
        try:
            return await self._store.get(key, max_bytes=MAX_ENVELOPE_BYTES)
        except (BundleNotFoundError, BundleTooLargeError):
            return b""  # which is not what the digest says
