"""X.509 certificates as this platform takes them: read strictly, and judged for their role.

The library's path validation, which `shared.trust.chain` runs besides, leaves to its caller what a
leaf is: by itself it accepts an authority, an RSA-2048 key or an Ed25519 key there. What is judged
here has a sentence of its own for each fault.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from shared.trust.envelope import MAX_CERTIFICATE_BYTES
from shared.trust.public_key import Algorithm, rsa_weakness

PUBLISHER_URI: Final = "extension-publisher:"
_MAX_NAME_LENGTH: Final = 80
_EDWARDS: Final = (SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448)
_CODE_SIGNING: Final = ExtendedKeyUsageOID.CODE_SIGNING
_ANY_USAGE: Final = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


class CertificateInvalidError(ValueError):
    """What is wrong with a certificate, as the rest of a sentence. Stays in this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate with an acceptable key and signature algorithm, in whatever role.

    Attributes:
        subject: its name for people, in ASCII and cut short.
        key_id: hex SHA-256 of its SubjectPublicKeyInfo in DER.
        fingerprint: hex SHA-256 of the whole certificate in DER.
        publishers: whom its `extension-publisher:NAME` URIs name.
        path_length: how many authorities may stand below it; None is any number.
    """

    subject: str
    key_id: str
    fingerprint: str
    der: bytes = field(repr=False)
    parsed: x509.Certificate = field(repr=False)
    publishers: frozenset[str]
    is_authority: bool
    path_length: int | None
    usage: x509.KeyUsage | None = field(repr=False)
    purposes: frozenset[x509.ObjectIdentifier] | None = field(repr=False)

    @classmethod
    def from_der(cls, der: bytes) -> "Certificate":
        """Reads a certificate.

        Raises:
            CertificateInvalidError: it is broken, too large, has a critical extension that is not
                understood, or its key or signature algorithm is weak or unknown.
        """
        if len(der) > MAX_CERTIFICATE_BYTES:
            raise CertificateInvalidError(f"has more than {MAX_CERTIFICATE_BYTES} bytes")
        try:
            return cls._read(der)
        except CertificateInvalidError:
            raise
        except (ValueError, TypeError, Warning, UnsupportedAlgorithm, x509.InvalidVersion,
                x509.DuplicateExtension, x509.UnsupportedGeneralNameType):  # fmt: skip
            raise CertificateInvalidError("is damaged, or not what RFC 5280 asks for") from None

    @classmethod
    def _read(cls, der: bytes) -> "Certificate":
        read = x509.load_der_x509_certificate(der)
        if read.version is not x509.Version.v3:
            raise CertificateInvalidError("is not of X.509 version 3")
        if read.serial_number <= 0:
            raise CertificateInvalidError("has a serial number that is not positive")
        _check_algorithms(read)
        constraints = usage = purposes = None
        publishers: frozenset[str] = frozenset()
        for extension in read.extensions:
            value = extension.value
            if isinstance(value, x509.BasicConstraints):
                constraints = value
            elif isinstance(value, x509.KeyUsage):
                usage = value
            elif isinstance(value, x509.ExtendedKeyUsage):
                purposes = frozenset(value)
            elif isinstance(value, x509.SubjectAlternativeName):
                publishers = _publishers(value)
            elif isinstance(value, x509.UnrecognizedExtension) and extension.critical:
                raise CertificateInvalidError(
                    f"has the critical extension {value.oid.dotted_string}, which is not understood"
                )
        return cls(
            subject=name_of(read.subject),
            key_id=hashlib.sha256(
                read.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            ).hexdigest(),
            fingerprint=hashlib.sha256(der).hexdigest(),
            der=der,
            parsed=read,
            publishers=publishers,
            is_authority=constraints is not None and constraints.ca,
            path_length=constraints.path_length if constraints else None,
            usage=usage,
            purposes=purposes,
        )

    def time_fault(self, moment: datetime) -> str | None:
        """Why it is not valid at `moment`; None if it is."""
        if moment < self.parsed.not_valid_before_utc:
            return f"is not valid before {self.parsed.not_valid_before_utc.isoformat()}"
        if moment > self.parsed.not_valid_after_utc:
            return f"is not valid after {self.parsed.not_valid_after_utc.isoformat()}"
        return None

    def authority_fault(self, *, below: int = 0) -> str | None:
        """Why it may not issue certificates with `below` authorities beneath it; None if it may."""
        if not self.is_authority:
            return "is no certificate authority (basicConstraints)"
        if self.usage is not None and not self.usage.key_cert_sign:
            return "may not sign certificates (keyUsage has no keyCertSign)"
        if self.purposes is not None and not self.purposes & {_CODE_SIGNING, _ANY_USAGE}:
            return "may not issue certificates for code signing (extendedKeyUsage)"
        if self.path_length is not None and below > self.path_length:
            return f"allows {self.path_length} authorities below it, not {below} (path length)"
        return None

    def signer_fault(self) -> str | None:
        """Why its holder may not sign code; None if they may."""
        if self.is_authority:
            return "is a certificate authority, which signs certificates and no code"
        if self.purposes is None or _CODE_SIGNING not in self.purposes:
            return "is not for code signing (extendedKeyUsage)"
        if self.usage is None or not self.usage.digital_signature:
            return "may not sign data (keyUsage has no digitalSignature)"
        if self.signing_algorithm is None:
            return "signs with neither ECDSA P-256 nor RSA"
        return None

    @property
    def signing_algorithm(self) -> Algorithm | None:
        """How its holder signs; None when its key is good for an authority only."""
        key = self.parsed.public_key()
        if isinstance(key, RSAPublicKey):
            return Algorithm.RSA_PSS
        is_p256 = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
        return Algorithm.ECDSA_P256 if is_p256 else None


def name_of(name: x509.Name) -> str:
    """A name for people: whoever made the certificate chose it, so ASCII only, and cut short."""
    return ascii(name.rfc4514_string())[1:-1][:_MAX_NAME_LENGTH]


def _check_algorithms(read: x509.Certificate) -> None:
    key = read.public_key()
    by_edwards = read.signature_algorithm_oid in _EDWARDS
    if by_edwards or isinstance(key, Ed25519PublicKey | Ed448PublicKey):
        raise CertificateInvalidError(
            f"{'is signed with' if by_edwards else 'holds'} an Edwards-curve key, which no "
            "certificate may have here: put an Ed25519 key into the trust bundle as a bare public "
            "key"
        )
    if isinstance(key, RSAPublicKey):
        if weakness := rsa_weakness(key):
            raise CertificateInvalidError(f"holds a key that {weakness}")
    elif not (
        isinstance(key, EllipticCurvePublicKey)
        and isinstance(key.curve, SECP256R1 | SECP384R1 | SECP521R1)
    ):
        raise CertificateInvalidError("holds a key that is neither RSA nor ECDSA on a NIST curve")
    if not isinstance(read.signature_hash_algorithm, SHA256 | SHA384 | SHA512):
        raise CertificateInvalidError("is signed with another hash than SHA-256, -384 or -512")


def _publishers(names: x509.SubjectAlternativeName) -> frozenset[str]:
    return frozenset(
        uri.removeprefix(PUBLISHER_URI)
        for uri in names.get_values_for_type(x509.UniformResourceIdentifier)
        if uri.startswith(PUBLISHER_URI)
    )
