"""The certificates that a signature carries, and whether they lead to a root that is trusted.

A chain is judged at the moment when its signature was first seen by the registry, because a
signature outlives the certificate that made it (docs/adr/0012). What a certificate may be in a
chain is judged here, with a sentence that names it; the library's RFC 5280 path validation, which
knows name constraints too, has the last word.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from shared.trust.certificate import PUBLISHER_URI, Certificate, CertificateInvalidError
from shared.trust.envelope import MAX_CHAIN
from shared.trust.public_key import key_verifies
from shared.trust.refusal import Refusal, SignatureFault

_MAX_REASON_LENGTH: Final = 160


@dataclass(frozen=True, slots=True)
class CertificateChain:
    """Certificates from the signer's own upwards, each issued by the next.

    The root that they lead to may be among them, but it counts only if it is trusted anyway.
    """

    certificates: tuple[Certificate, ...]

    @classmethod
    def read(cls, ders: Sequence[bytes]) -> "CertificateChain":
        """Reads certificates, the signer's first.

        Raises:
            CertificateInvalidError: a sentence: one is unusable, or they are no chain.
        """
        if not 1 <= len(ders) <= MAX_CHAIN:
            raise CertificateInvalidError(f"A chain has 1 to {MAX_CHAIN} certificates.")
        read = []
        for position, der in enumerate(ders, 1):
            try:
                read.append(Certificate.from_der(der))
            except CertificateInvalidError as error:
                raise CertificateInvalidError(
                    f"Certificate {position} of the chain {error}."
                ) from None
        for position, (issued, issuer) in enumerate(itertools.pairwise(read), 1):
            if not _issued(issued, issuer):
                raise CertificateInvalidError(
                    f"Certificate {position} of the chain ({issued.subject}) was not issued by the "
                    f"next one ({issuer.subject})."
                )
        return cls(tuple(read))

    @property
    def signer(self) -> Certificate:
        """The certificate of who signed."""
        return self.certificates[0]

    @property
    def issuer(self) -> x509.Name:
        """Of which name the root must be."""
        return self.certificates[-1].parsed.issuer

    @property
    def key_ids(self) -> frozenset[str]:
        """Those of all keys in the chain."""
        return frozenset(each.key_id for each in self.certificates)

    def below(self, root: Certificate) -> "CertificateChain":
        """The part of the chain that is below `root`: all of it, when `root` is not in it."""
        for position, each in enumerate(self.certificates):
            if position and each.fingerprint == root.fingerprint:
                return CertificateChain(self.certificates[:position])
        return self

    def made(self, signature: bytes, message: bytes) -> bool:
        """Whether the signer's key made `signature` over `message`. Never raises."""
        key = self.signer.parsed.public_key()
        if not isinstance(key, EllipticCurvePublicKey | RSAPublicKey):
            return False
        return key_verifies(key, signature, message)

    def refusal(self, moment: datetime) -> Refusal | None:
        """What is wrong with a certificate where it stands, or at `moment`; None if all is well."""
        for position, each in enumerate(self.certificates):
            what = f"Certificate {position + 1} of the chain ({each.subject})"
            role = each.authority_fault(below=position - 1) if position else each.signer_fault()
            if role:
                return Refusal(SignatureFault.CHAIN, f"{what} {role}.")
            if out_of_time := each.time_fault(moment):
                return Refusal(SignatureFault.VALIDITY, f"{what} {out_of_time}.")
        return None

    def publisher_refusal(self, publisher: str) -> Refusal | None:
        """Why the signer may not sign for `publisher`; None if they may."""
        if publisher in self.signer.publishers:
            return None
        named = ", ".join(sorted(self.signer.publishers)) or "no publisher"
        return Refusal(
            SignatureFault.PUBLISHER,
            f"The signer's certificate ({self.signer.subject}) names {named!a}; to sign for "
            f"{publisher!a} its subjectAltName must have the URI {PUBLISHER_URI}{publisher}.",
        )

    def path_refusal(self, root: Certificate, moment: datetime) -> Refusal | None:
        """Why the chain does not lead to `root` at `moment`; None if it does."""
        what = f"The root ({root.subject})"
        if not _issued(self.certificates[-1], root):
            return Refusal(SignatureFault.CHAIN, f"{what} did not issue the chain's last one.")
        if role := root.authority_fault(below=len(self.certificates) - 1):
            return Refusal(SignatureFault.CHAIN, f"{what} {role}.")
        if out_of_time := root.time_fault(moment):
            return Refusal(SignatureFault.VALIDITY, f"{what} {out_of_time}.")
        verifier = (
            PolicyBuilder()
            .store(Store([root.parsed]))
            .time(moment)
            .max_chain_depth(MAX_CHAIN)
            .extension_policies(
                ca_policy=_authority_policy(), ee_policy=ExtensionPolicy.permit_all()
            )
            .build_client_verifier()
        )
        try:
            verifier.verify(self.signer.parsed, [each.parsed for each in self.certificates[1:]])
        except VerificationError as error:
            why = ascii(str(error))[1:-1][:_MAX_REASON_LENGTH]
            return Refusal(SignatureFault.CHAIN, f"The chain does not hold: {why}.")
        return None


def _issued(issued: Certificate, issuer: Certificate) -> bool:
    try:
        issued.parsed.verify_directly_issued_by(issuer.parsed)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _authority_policy() -> ExtensionPolicy:
    # the web's rules for authorities, but for its ban on other purposes than TLS
    return ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None
    )
