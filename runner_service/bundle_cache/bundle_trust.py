"""Whether the runner itself trusts a bundle, whatever the registry decided before."""

from shared.bundles.layout import signature_key
from shared.bundles.store import BundleStore
from shared.clock import Clock
from shared.errors import (
    ArgumentInvalidError,
    BundleNotFoundError,
    BundleStoreUnavailableError,
    BundleTooLargeError,
    BundleUnavailableError,
    BundleUntrustedError,
)
from shared.tokens.invocation_grant import InvocationGrant
from shared.trust.envelope import MAX_ENVELOPE_BYTES, SignedSubject
from shared.trust.trust_bundle_file import TrustBundleFile
from shared.trust.verdict_memory import StoredSignature, VerdictMemory
from shared.trust.verification import SigningPolicy, enforce


class BundleTrust:
    """Verifies the signature that a grant names against the runner's own trust bundle.

    What was trusted is verified again after a few seconds, and at once when the trust bundle
    changed: keys expire and are revoked while a bundle stays in the cache.
    """

    def __init__(
        self,
        *,
        store: BundleStore,
        trust_bundle: TrustBundleFile,
        policy: SigningPolicy,
        clock: Clock,
    ) -> None:
        self._store = store
        self._policy = policy
        self._memory = VerdictMemory(trust_bundle=trust_bundle, clock=clock)

    async def check(self, grant: InvocationGrant) -> None:
        """Returns when the signing policy is satisfied: the runner's, and the grant's.

        Raises:
            BundleUntrustedError: it is not.
            BundleUnavailableError: the store did not give the signature.
        """
        policy = self._policy.stricter(grant.signing_policy)
        if policy is SigningPolicy.OFF:
            return
        signature = StoredSignature(
            subject=_subject_of(grant), digest=grant.signature_digest, seen_at=grant.published_at
        )
        enforce(policy, await self._memory.verdict(signature, lambda: self._fetch_envelope(grant)))

    async def _fetch_envelope(self, grant: InvocationGrant) -> bytes:
        try:
            key = signature_key(grant.content_hash, grant.signature_digest)
            return await self._store.get(key, max_bytes=MAX_ENVELOPE_BYTES)
        except BundleStoreUnavailableError:
            raise BundleUnavailableError("The bundle's signature could not be fetched.") from None
        except (BundleNotFoundError, BundleTooLargeError, ArgumentInvalidError):
            raise BundleUntrustedError(
                "The store holds no signature as the grant names it."
            ) from None


def _subject_of(grant: InvocationGrant) -> SignedSubject:
    return SignedSubject(
        content_hash=grant.content_hash,
        publisher=grant.publisher,
        name=grant.name,
        version=grant.version,
        runtime=grant.runtime,
    )
