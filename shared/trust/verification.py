"""Whether a bundle's signature can be trusted, and what follows from it."""

import functools
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.errors import BundleUntrustedError
from shared.trust.envelope import (
    EnvelopeInvalidError,
    SignedSubject,
    pre_authentication_encoding,
    read_envelope,
    statement_fault,
)
from shared.trust.refusal import Refusal, SignatureFault
from shared.trust.trust_bundle import TrustBundle
from shared.trust.voucher import VoucherSearch


class VerificationResult(StrEnum):
    """The three answers; only one of them is trust."""

    NOT_SIGNED = "not_signed"
    FAILED = "failed"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class SignatureVerification:
    """An answer, a sentence for people, and the key that signed (empty unless verified)."""

    result: VerificationResult
    detail: str
    key_id: str = ""
    fault: SignatureFault | None = None
    """What failed; known when it is judged, and not kept with a version."""
    seen_at: datetime | None = None
    """At which moment certificates were judged."""


class SigningPolicy(StrEnum):
    """What a bundle must have.

    `warn` is for the move from no signatures to `require`: it admits what is not signed and what
    fails, each with a warning. `off` asks nothing.
    """

    REQUIRE = "require"
    WARN = "warn"
    OFF = "off"

    def stricter(self, other: "SigningPolicy") -> "SigningPolicy":
        """The one of both that asks for more."""
        return min(self, other, key=list(SigningPolicy).index)


def verify_signature(
    envelope: bytes | None,
    *,
    trust: TrustBundle,
    subject: SignedSubject,
    now: datetime,
    seen_at: datetime | None = None,
) -> SignatureVerification:
    """Judges a DSSE envelope for `subject`. Never raises, whatever the envelope's bytes are.

    One signature suffices: its key is in `trust`, or its chain leads to a root there; the entry may
    vouch for the publisher at `now`; and the statement speaks of exactly this subject.

    Args:
        envelope: as the publisher gave it; None or empty when there is none.
        trust: who is trusted now.
        subject: what the signature must be about.
        now: the moment at which the entries of `trust` are judged.
        seen_at: the moment at which certificates are judged: when the registry first saw the
            signature. None is for one that is seen now.
    """
    seen_at = (seen_at or now).replace(microsecond=0)  # certificates count in whole seconds
    judged = functools.partial(SignatureVerification, seen_at=seen_at)
    if not envelope:
        return judged(VerificationResult.NOT_SIGNED, "The bundle is not signed.")
    try:
        parsed = read_envelope(envelope)
    except EnvelopeInvalidError as error:
        return judged(VerificationResult.FAILED, str(error), fault=SignatureFault.ENVELOPE)
    search = VoucherSearch(trust=trust, publisher=subject.publisher, now=now, seen_at=seen_at)
    message = pre_authentication_encoding(parsed.payload)
    refusals: list[Refusal] = []
    for signature in parsed.signatures:
        found = search.find(signature, message)
        if isinstance(found, Refusal):
            refusals.append(found)
        elif fault := statement_fault(parsed.payload, subject):
            refusals.append(fault)
        else:
            return judged(VerificationResult.VERIFIED, f"Signed by {found.name}.", found.key_id)
    nearest = max(refusals, key=lambda refusal: refusal.nearness)
    return judged(VerificationResult.FAILED, nearest.detail, fault=nearest.fault)


def enforce(policy: SigningPolicy, verification: SignatureVerification) -> list[str]:
    """Applies the policy.

    Returns:
        Warnings: sentences to show to whoever publishes or installs.

    Raises:
        BundleUntrustedError: the policy is `require` and the signature was not verified.
    """
    if policy is SigningPolicy.OFF or verification.result is VerificationResult.VERIFIED:
        return []
    if policy is SigningPolicy.WARN:
        return [f"{verification.detail} The signing policy admits it with this warning."]
    raise BundleUntrustedError(
        f"{verification.detail} The signing policy requires a trusted signature: "
        "sign the bundle with `extctl sign` and a key that is in the trust bundle.",
        result=verification.result.value,
    )
