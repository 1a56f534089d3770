"""Signatures that were judged, and are judged again while what they sign is in use.

Keys expire and are revoked while a bundle is installed and runs. A verdict counts for a few
seconds, and no longer than the trust bundle that it was made with.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from shared.clock import Clock
from shared.errors import BundleUntrustedError
from shared.trust.envelope import SignedSubject
from shared.trust.trust_bundle import TrustBundle
from shared.trust.trust_bundle_file import TrustBundleFile
from shared.trust.verification import (
    SignatureVerification,
    VerificationResult,
    verify_signature,
)

_MAX_REMEMBERED: Final = 4096
_JUDGE_AGAIN_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSignature:
    """What a stored signature is about, which one it is, and since when it is known."""

    subject: SignedSubject
    digest: str
    """SHA-256 (hex) of the envelope; empty when the bundle is unsigned."""
    seen_at: datetime | None
    """See `verify_signature`."""


FetchEnvelope = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class _Judged:
    envelope: bytes | None
    trust: TrustBundle
    at: float
    verification: SignatureVerification


class VerdictMemory:
    """Judges stored signatures by the trust bundle of the day; fetches each envelope once."""

    def __init__(self, *, trust_bundle: TrustBundleFile, clock: Clock) -> None:
        self._trust_bundle = trust_bundle
        self._clock = clock
        self._judged: OrderedDict[StoredSignature, _Judged] = OrderedDict()
        self._told = ""

    async def verdict(
        self, signature: StoredSignature, fetch: FetchEnvelope
    ) -> SignatureVerification:
        """What is known about a signature now.

        Args:
            signature: which.
            fetch: gives the stored envelope; called at most once for as long as it is remembered.

        Raises:
            BundleUntrustedError: the store gave another envelope than the one that is named.
            ExtensionError: what `fetch` raises.
        """
        trust, now = self._current(), self._clock.monotonic()
        known = self._judged.get(signature)
        if known and known.trust is trust and now - known.at < _JUDGE_AGAIN_SECONDS:
            return known.verification
        envelope = known.envelope if known else await _fetched(signature, fetch)
        verification = verify_signature(
            envelope,
            trust=trust,
            subject=signature.subject,
            now=self._clock.now(),
            seen_at=signature.seen_at,
        )
        if known is None or known.verification != verification:
            trusted = verification.result is VerificationResult.VERIFIED
            _log.log(
                logging.INFO if trusted else logging.WARNING,
                "signature judged",
                content_hash=signature.subject.content_hash,
                result=verification.result.value,
                why=verification.detail,
            )
        self._judged.pop(signature, None)
        self._judged[signature] = _Judged(envelope, trust, now, verification)
        if len(self._judged) > _MAX_REMEMBERED:
            self._judged.popitem(last=False)
        return verification

    def _current(self) -> TrustBundle:
        trust, error = self._trust_bundle.current(), self._trust_bundle.last_error
        fault = error.message if error else ""
        if fault and fault != self._told:  # each reading makes an error of its own
            _log.error("trust bundle cannot be used; the last good one stays", why=fault)
        self._told = fault
        return trust


async def _fetched(signature: StoredSignature, fetch: FetchEnvelope) -> bytes | None:
    if not signature.digest:
        return None
    envelope = await fetch()
    if hashlib.sha256(envelope).hexdigest() != signature.digest:
        raise BundleUntrustedError(
            "The stored signature is missing or is not the one that was published."
        )
    return envelope
