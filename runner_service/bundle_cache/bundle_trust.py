"""Whether the runner itself trusts a bundle, whatever the registry decided before."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import structlog

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
    TrustBundleInvalidError,
)
from shared.tokens.invocation_grant import InvocationGrant
from shared.trust.envelope import SignedSubject
from shared.trust.trust_bundle import TrustBundle
from shared.trust.trust_bundle_file import TrustBundleFile
from shared.trust.verification import SigningPolicy, enforce, verify_signature

MAX_ENVELOPE_BYTES: Final = 64 * 1024
_MAX_REMEMBERED: Final = 4096
_VERIFY_AGAIN_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a signature is about, and which one: the grant says both."""

    subject: SignedSubject
    signature_digest: str


@dataclass(frozen=True, slots=True)
class _Trusted:
    envelope: bytes | None
    trust: TrustBundle
    verified_at: float


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
        self._trust_bundle = trust_bundle
        self._policy = policy
        self._clock = clock
        self._trusted: OrderedDict[_Signed, _Trusted] = OrderedDict()
        self._told: TrustBundleInvalidError | None = None

    async def check(self, grant: InvocationGrant) -> None:
        """Returns when the signing policy is satisfied.

        Raises:
            BundleUntrustedError: it is not.
            BundleUnavailableError: the store did not give the signature.
        """
        if self._policy is SigningPolicy.OFF:
            return
        signed = _Signed(_subject_of(grant), grant.signature_digest)
        trust, now = self._current(), self._clock.monotonic()
        known = self._trusted.get(signed)
        if known and known.trust is trust and now - known.verified_at < _VERIFY_AGAIN_SECONDS:
            return
        envelope = known.envelope if known else await self._fetch_envelope(grant)
        self._trusted.pop(signed, None)
        verification = verify_signature(
            envelope, trust=trust, subject=signed.subject, now=self._clock.now()
        )
        warnings = enforce(self._policy, verification)
        if warnings and known is None:
            _log.warning("bundle admitted by policy", content_hash=grant.content_hash, why=warnings)
        self._trusted[signed] = _Trusted(envelope, trust, now)
        if len(self._trusted) > _MAX_REMEMBERED:
            self._trusted.popitem(last=False)

    def _current(self) -> TrustBundle:
        trust, error = self._trust_bundle.current(), self._trust_bundle.last_error
        if error is not None and error is not self._told:
            _log.error("trust bundle cannot be used; the last good one stays", why=error.message)
        self._told = error
        return trust

    async def _fetch_envelope(self, grant: InvocationGrant) -> bytes | None:
        digest = grant.signature_digest
        if not digest:
            return None
        try:
            key = signature_key(grant.content_hash, digest)
            envelope = await self._store.get(key, max_bytes=MAX_ENVELOPE_BYTES)
        except BundleStoreUnavailableError:
            raise BundleUnavailableError("The bundle's signature could not be fetched.") from None
        except (BundleNotFoundError, BundleTooLargeError, ArgumentInvalidError):
            raise BundleUntrustedError(
                "The store holds no signature as the grant names it."
            ) from None
        if hashlib.sha256(envelope).hexdigest() != digest:
            raise BundleUntrustedError("The stored signature is not the one that the grant names.")
        return envelope


def _subject_of(grant: InvocationGrant) -> SignedSubject:
    return SignedSubject(
        content_hash=grant.content_hash,
        publisher=grant.publisher,
        name=grant.name,
        version=grant.version,
        runtime=grant.runtime,
    )
