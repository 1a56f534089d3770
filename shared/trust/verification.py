"""Whether a bundle's signature can be trusted, and what follows from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.errors import BundleUntrustedError
from shared.trust.envelope import (
    Envelope,
    EnvelopeInvalidError,
    SignedSubject,
    pre_authentication_encoding,
    read_envelope,
    statement_fault,
)
from shared.trust.trust_bundle import TrustBundle
from shared.trust.trust_entry import TrustEntry


class VerificationResult(StrEnum):
    """The three answers; only one of them is trust."""

    NOT_SIGNED = "not_signed"
    FAILED = "failed"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class SignatureVerification:
    """An answer, a sentence for people, and the key that vouched (empty unless verified)."""

    result: VerificationResult
    detail: str
    key_id: str = ""


class SigningPolicy(StrEnum):
    """What a bundle must have.

    `warn` is for the move from no signatures to `require`: it admits what is not signed and what
    fails, each with a warning. `off` asks nothing.
    """

    REQUIRE = "require"
    WARN = "warn"
    OFF = "off"


def verify_signature(
    envelope: bytes | None, *, trust: TrustBundle, subject: SignedSubject, now: datetime
) -> SignatureVerification:
    """Judges a DSSE envelope for `subject`. Never raises, whatever the envelope's bytes are.

    One signature suffices: its key is in `trust`, may sign for the publisher at `now`, and the
    statement speaks of exactly this subject.
    """
    if not envelope:
        return SignatureVerification(VerificationResult.NOT_SIGNED, "The bundle is not signed.")
    try:
        parsed = read_envelope(envelope)
    except EnvelopeInvalidError as error:
        return SignatureVerification(VerificationResult.FAILED, str(error))
    fault = "None of the signatures was made by a key of the trust bundle over this statement."
    for entry in _signers(parsed, trust):
        refusal = entry.refusal(publisher=subject.publisher, now=now)
        wrong = f"Key {entry.key_id[:16]} {refusal}." if refusal else None
        wrong = wrong or statement_fault(parsed.payload, subject)
        if wrong is None:
            return SignatureVerification(
                VerificationResult.VERIFIED,
                f"Signed by key {entry.key_id[:16]} ({entry.algorithm}).",
                entry.key_id,
            )
        fault = wrong
    return SignatureVerification(VerificationResult.FAILED, fault)


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


def _signers(envelope: Envelope, trust: TrustBundle) -> Iterator[TrustEntry]:
    """The entries whose key made one of the signatures. The claimed key ids only set the order."""
    message = pre_authentication_encoding(envelope.payload)
    for signature in envelope.signatures:
        claimed = signature.key_id
        for entry in sorted(trust.entries, key=lambda entry: entry.key_id != claimed):
            if entry.verifies(signature.signature, message):
                yield entry
                break
