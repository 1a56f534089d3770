"""Signing keys: made, kept in PEM files, used. For publishers; no service holds one."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    generate_private_key as generate_rsa_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from shared.errors import SigningKeyInvalidError
from shared.identifiers import parse_publisher
from shared.trust.chain import CertificateChain
from shared.trust.envelope import (
    SignedSubject,
    pre_authentication_encoding,
    write_envelope,
    write_statement,
)
from shared.trust.public_key import (
    MIN_RSA_BITS,
    PSS_PADDING,
    RSA_EXPONENT,
    Algorithm,
    key_id_of,
    rsa_weakness,
)

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

_MAX_KEY_FILE_BYTES: Final = 16 * 1024


def generate_key(algorithm: Algorithm = Algorithm.ED25519) -> PrivateKey:
    """A fresh signing key."""
    if algorithm is Algorithm.ED25519:
        return Ed25519PrivateKey.generate()
    if algorithm is Algorithm.RSA_PSS:
        return generate_rsa_private_key(RSA_EXPONENT, MIN_RSA_BITS)
    return generate_private_key(SECP256R1())


def private_pem(key: PrivateKey) -> bytes:
    """The key as unencrypted PKCS #8 PEM. It is a secret: only `write_private_key` stores it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: PrivateKey, *, publishers: Iterable[str] = ()) -> bytes:
    """The public key as an entry of a trust bundle, for those publishers only (none: for all).

    Raises:
        ArgumentInvalidError: a publisher's name is malformed.
    """
    lines = "".join(f"publisher: {parse_publisher(name)}\n" for name in publishers)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return lines.encode("ascii") + pem


def write_private_key(path: Path, key: PrivateKey) -> None:
    """Writes a key to a new file that only its owner can read.

    Raises:
        SigningKeyInvalidError: the file exists (a key is never overwritten) or cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as stream:
            stream.write(private_pem(key))
    except FileExistsError:
        raise SigningKeyInvalidError(
            f"{path} exists already, and a key is never overwritten; choose another file."
        ) from None
    except OSError as error:
        raise SigningKeyInvalidError(f"{path} cannot be written: {error.strerror}.") from None


def read_private_key(path: Path) -> PrivateKey:
    """Reads a key that `write_private_key` wrote, or any unencrypted PEM of such a key.

    Raises:
        SigningKeyInvalidError: it cannot be read, others may read it, or it is no such key.
    """
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(_MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise SigningKeyInvalidError(f"{path} cannot be read: {error.strerror}.") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SigningKeyInvalidError(f"{path} is open to other users; run chmod 600 on it.")
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise SigningKeyInvalidError(f"{path} is encrypted; give an unencrypted key.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningKeyInvalidError(f"{path} holds no private key in PEM.") from None
    if isinstance(key, RSAPrivateKey):
        if weakness := rsa_weakness(key.public_key()):
            raise SigningKeyInvalidError(f"The key in {path} {weakness}.")
        return key
    if isinstance(key, Ed25519PrivateKey) or (
        isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    ):
        return key
    raise SigningKeyInvalidError(f"{path} is neither an Ed25519 nor a P-256 nor an RSA key.")


def sign_statement(
    key: PrivateKey, subject: SignedSubject, *, chain: CertificateChain | None = None
) -> bytes:
    """The DSSE envelope that says: `subject` is mine. Reproducible for Ed25519.

    Raises:
        SigningKeyInvalidError: the chain's first certificate is not this key's.
    """
    key_id = key_id_of(key.public_key())
    if chain is not None and chain.signer.key_id != key_id:
        raise SigningKeyInvalidError(
            f"The first certificate of the chain ({chain.signer.subject}) is of another key."
        )
    payload = write_statement(subject)
    message = pre_authentication_encoding(payload)
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(message)
    elif isinstance(key, RSAPrivateKey):
        signature = key.sign(message, PSS_PADDING, SHA256())
    else:
        signature = key.sign(message, ECDSA(SHA256()))
    return write_envelope(
        payload,
        key_id=key_id,
        signature=signature,
        chain=[each.der for each in chain.certificates] if chain else (),
    )
