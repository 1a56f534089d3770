"""Judging a bundle's signature: the same at publish and at install, under the trust of the day."""

import hashlib

from registry_service.catalog.model import ExtensionVersion
from shared.bundles.layout import signature_key
from shared.bundles.store import BundleStore
from shared.clock import Clock
from shared.errors import BundleNotFoundError, BundleTooLargeError, BundleUntrustedError
from shared.trust.envelope import MAX_ENVELOPE_BYTES, SignedSubject
from shared.trust.trust_bundle_file import TrustBundleFile
from shared.trust.verification import (
    SignatureVerification,
    SigningPolicy,
    enforce,
    verify_signature,
)


class SignatureGate:
    """Lets through what satisfies the signing policy."""

    def __init__(
        self, *, store: BundleStore, trust: TrustBundleFile, policy: SigningPolicy, clock: Clock
    ) -> None:
        self._store = store
        self._trust = trust
        self._policy = policy
        self._clock = clock

    def judge(
        self, envelope: bytes | None, subject: SignedSubject
    ) -> tuple[SignatureVerification, list[str]]:
        """What is known about the signature, and warnings.

        Raises:
            BundleUntrustedError: it does not satisfy the policy.
        """
        verification = verify_signature(
            envelope, trust=self._trust.current(), subject=subject, now=self._clock.now()
        )
        return verification, enforce(self._policy, verification)

    async def judge_version(self, version: ExtensionVersion) -> list[str]:
        """Judges the stored envelope of a published version again; gives warnings.

        Raises:
            BundleUntrustedError: it no longer satisfies the policy, or is not what was stored.
            BundleStoreUnavailableError: the store does not answer.
        """
        subject = SignedSubject(
            content_hash=version.bundle.content_hash,
            publisher=version.signed_publisher,
            name=version.name,
            version=version.version,
            runtime=version.runtime,
        )
        _, warnings = self.judge(await self._stored_envelope(version), subject)
        return warnings

    async def _stored_envelope(self, version: ExtensionVersion) -> bytes | None:
        digest = version.bundle.signature_digest
        if not digest:
            return None
        key = signature_key(version.bundle.content_hash, digest)
        try:
            envelope = await self._store.get(key, max_bytes=MAX_ENVELOPE_BYTES)
        except (BundleNotFoundError, BundleTooLargeError):
            envelope = b""
        if hashlib.sha256(envelope).hexdigest() != digest:
            raise BundleUntrustedError(
                "The stored signature is missing or is not the one that was published."
            )
        return envelope
