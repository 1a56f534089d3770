"""Public keys that may verify a signature: three algorithms, each in its one strict form."""

import hashlib
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
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

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

MIN_RSA_BITS: Final = 3072
MAX_RSA_BITS: Final = 8192
RSA_EXPONENT: Final = 65537
PSS_PADDING: Final = PSS(MGF1(SHA256()), salt_length=32)
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
    """How a key signs. It follows from the trusted key, never from an envelope."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"
    RSA_PSS = "rsa-pss-sha256"


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
    if isinstance(key, Ed25519PublicKey):
        algorithm = Algorithm.ED25519
        y = int.from_bytes(key.public_bytes_raw(), "little") & ((1 << 255) - 1)
        if y >= _FIELD_PRIME or y in _SMALL_ORDER_Y:
            raise TrustBundleInvalidError("The Ed25519 key is weak: its point has a small order.")
    elif isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        algorithm = Algorithm.ECDSA_P256
    elif isinstance(key, RSAPublicKey):
        algorithm = Algorithm.RSA_PSS
        if weakness := rsa_weakness(key):
            raise TrustBundleInvalidError(f"The key {weakness}.")
    else:
        raise TrustBundleInvalidError("The key is neither Ed25519 nor ECDSA P-256 nor RSA.")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
        raise TrustBundleInvalidError("The key is not in its one DER form.")
    return algorithm, key


def rsa_weakness(key: RSAPublicKey) -> str | None:
    """Why an RSA key is refused, as the rest of a sentence; None if it is not."""
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return f"is RSA with {key.key_size} bits, not {MIN_RSA_BITS} to {MAX_RSA_BITS}"
    if key.public_numbers().e != RSA_EXPONENT:
        return f"is RSA with another public exponent than {RSA_EXPONENT}"
    return None


def key_verifies(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether `key` made `signature` over `message`, the way its algorithm must. Never raises."""
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, RSAPublicKey):
            key.verify(signature, message, PSS_PADDING, SHA256())
        else:
            # DER has one form for a number, BER many: only that one is taken
            if encode_dss_signature(*decode_dss_signature(signature)) != signature:
                return False
            key.verify(signature, message, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
