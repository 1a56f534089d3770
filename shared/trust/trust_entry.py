"""One thing that is trusted to sign bundles, and for whom and when it is.

A bare public key here; a root of X.509 chains is meant to become a second kind beside it, with the
same two questions (`refusal`, `verifies`).
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from shared.errors import TrustBundleInvalidError

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey

_FIELD_PRIME: Final = 2**255 - 19
# y of the points of order 1, 2, 4 and 8: with such a key anybody can sign anything
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _FIELD_PRIME - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


class Algorithm(StrEnum):
    """How an entry's key signs. It is the entry's, never an envelope's."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustEntry:
    """A public key and what it may vouch for.

    Attributes:
        key_id: hex SHA-256 of the key's SubjectPublicKeyInfo in DER.
        algorithm: what its signatures must be.
        publishers: whose bundles it may sign; none means everybody's.
        not_before: no signature of it counts before this moment.
        not_after: no signature of it counts after this moment.
        revoked_at: from this moment on no signature of it counts, old ones neither, for a
            signature does not prove when it was made.
    """

    key_id: str
    algorithm: Algorithm
    publishers: frozenset[str] = frozenset()
    not_before: datetime | None = None
    not_after: datetime | None = None
    revoked_at: datetime | None = None
    key: PublicKey = field(repr=False)

    def refusal(self, *, publisher: str, now: datetime) -> str | None:
        """Why this entry may not vouch for `publisher` at `now`; None if it may."""
        if self.revoked_at is not None and now >= self.revoked_at:
            return f"was revoked at {self.revoked_at.isoformat()}"
        if self.not_before is not None and now < self.not_before:
            return f"is not valid before {self.not_before.isoformat()}"
        if self.not_after is not None and now > self.not_after:
            return f"is not valid after {self.not_after.isoformat()}"
        if self.publishers and publisher not in self.publishers:
            return f"may not sign for publisher {publisher!a}"
        return None

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made `signature` over `message`. Never raises."""
        try:
            if isinstance(self.key, Ed25519PublicKey):
                self.key.verify(signature, message)
            else:
                # DER has one form for a number, BER many: only that one is taken
                if encode_dss_signature(*decode_dss_signature(signature)) != signature:
                    return False
                self.key.verify(signature, message, ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


def key_id_of(key: PublicKey) -> str:
    """Hex SHA-256 of the key's SubjectPublicKeyInfo in DER."""
    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def load_public_key(der: bytes) -> tuple[Algorithm, PublicKey]:
    """Reads a SubjectPublicKeyInfo.

    Raises:
        TrustBundleInvalidError: it is damaged, of another algorithm, or weak.
    """
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise TrustBundleInvalidError("The key is damaged or of an unknown algorithm.") from None
    if isinstance(key, RSAPublicKey):
        raise TrustBundleInvalidError("RSA keys are not supported yet; use Ed25519 or P-256.")
    if isinstance(key, Ed25519PublicKey):
        algorithm = Algorithm.ED25519
        y = int.from_bytes(key.public_bytes_raw(), "little") & ((1 << 255) - 1)
        if y >= _FIELD_PRIME or y in _SMALL_ORDER_Y:
            raise TrustBundleInvalidError("The Ed25519 key is weak: its point has a small order.")
    elif isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        algorithm = Algorithm.ECDSA_P256
    else:
        raise TrustBundleInvalidError("The key is neither Ed25519 nor ECDSA P-256.")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
        raise TrustBundleInvalidError("The key is not in its one DER form.")
    return algorithm, key
