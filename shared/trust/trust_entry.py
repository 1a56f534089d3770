"""One thing that a trust bundle says about who may sign, for whom, and when."""

from dataclasses import dataclass, field
from datetime import datetime

from shared.trust.certificate import Certificate
from shared.trust.public_key import Algorithm, PublicKey, key_verifies
from shared.trust.refusal import Refusal, SignatureFault


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustEntry:
    """What all entries have: a key, and the restrictions that an operator wrote before it.

    Attributes:
        key_id: hex SHA-256 of the key's SubjectPublicKeyInfo in DER.
        publishers: whose bundles it may vouch for; none means everybody's.
        not_before: it vouches for nothing before this moment.
        not_after: it vouches for nothing after this moment.
        revoked_at: from this moment on it vouches for nothing, old signatures neither, for a
            signature does not prove when it was made.
    """

    key_id: str
    publishers: frozenset[str] = frozenset()
    not_before: datetime | None = None
    not_after: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def identity(self) -> str:
        """What may stand in a trust bundle only once."""
        return self.key_id

    def revocation(self, now: datetime) -> Refusal | None:
        """That the key has been revoked by `now`, as the rest of a sentence; None if it has not."""
        if self.revoked_at is None or now < self.revoked_at:
            return None
        return Refusal(SignatureFault.REVOKED, f"was revoked at {self.revoked_at.isoformat()}")

    def refusal(self, *, publisher: str, now: datetime) -> Refusal | None:
        """Why this entry may not vouch for `publisher` at `now`, as the rest of a sentence."""
        if revocation := self.revocation(now):
            return revocation
        if self.not_before is not None and now < self.not_before:
            moment = self.not_before.isoformat()
            return Refusal(SignatureFault.VALIDITY, f"is not valid before {moment}")
        if self.not_after is not None and now > self.not_after:
            moment = self.not_after.isoformat()
            return Refusal(SignatureFault.VALIDITY, f"is not valid after {moment}")
        if self.publishers and publisher not in self.publishers:
            why = f"may not sign for publisher {publisher!a}"
            return Refusal(SignatureFault.PUBLISHER, why)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey(TrustEntry):
    """A bare public key: what it signed is trusted."""

    algorithm: Algorithm
    key: PublicKey = field(repr=False)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made `signature` over `message`. Never raises."""
        return key_verifies(self.key, signature, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedRoot(TrustEntry):
    """A certificate authority: what the holders of its certificates signed is trusted."""

    certificate: Certificate

    @property
    def identity(self) -> str:
        """The certificate's fingerprint: a root is renewed with the same key before it expires."""
        return self.certificate.fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedCertificate(TrustEntry):
    """A signer's certificate that was withdrawn. It vouches for nothing, before that neither."""

    certificate: Certificate

    @property
    def identity(self) -> str:
        """The certificate's fingerprint."""
        return self.certificate.fingerprint


AnyEntry = TrustedKey | TrustedRoot | RevokedCertificate
