"""Ed25519 signing keys and the sets of public keys that verify what they sign.

A set is a JSON Web Key Set (RFC 7517, RFC 8037). The key id is the RFC 7638 thumbprint, so a key
and its public half agree on it without being told.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.errors import ArgumentInvalidError
from shared.strict_json import JsonInvalidError, parse_json

MAX_KEYS = 64
MAX_JWK_BYTES = 1024
ED25519_BYTES = 32


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _canonical_jwk(public: Ed25519PublicKey) -> bytes:
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public.public_bytes_raw())}
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


def _thumbprint(public: Ed25519PublicKey) -> str:
    return _base64url(hashlib.sha256(_canonical_jwk(public)).digest())


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its key id; it shows neither in `repr`."""

    private: Ed25519PrivateKey
    key_id: str

    def __repr__(self) -> str:
        return f"SigningKey(key_id={self.key_id!r})"

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKey":
        """Reads an unencrypted PKCS#8 Ed25519 key.

        Raises:
            ValueError: it is anything else.
        """
        private = load_pem_private_key(pem, password=None)
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("the signing key must be an Ed25519 private key")  # noqa: TRY004
        return cls(private, _thumbprint(private.public_key()))

    def public_jwk(self, **extra: str) -> dict[str, str]:
        """The public half as a JWK; `extra` members, such as a role, are added."""
        raw = self.private.public_key().public_bytes_raw()
        return {
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": self.key_id, "x": _base64url(raw), **extra,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key that somebody handed over, in its one canonical form."""

    public: Ed25519PublicKey
    key_id: str
    jwk: str
    """JWK text with the members that the thumbprint covers, and no others."""

    @classmethod
    def from_jwk(cls, text: str) -> "PublicKey":
        """Reads the JWK of an Ed25519 public key; members that say nothing new are dropped.

        Raises:
            ArgumentInvalidError: it is anything else, a private key included.
        """
        try:
            key = parse_json(text.encode(), max_bytes=MAX_JWK_BYTES)
        except (JsonInvalidError, UnicodeEncodeError):
            raise _jwk_invalid("It is no JSON of a key's size.") from None
        if not isinstance(key, dict) or (key.get("kty"), key.get("crv")) != ("OKP", "Ed25519"):
            raise _jwk_invalid("It is no Ed25519 key.")
        if "d" in key:
            raise _jwk_invalid("It holds the private half: keep that to yourself, and replace it.")
        x = key.get("x")
        try:
            raw = base64.b64decode(f"{x}=", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != ED25519_BYTES or _base64url(raw) != x:
            raise _jwk_invalid('Its "x" is not 32 bytes in base64url without padding.')
        public = Ed25519PublicKey.from_public_bytes(raw)
        return cls(public, _thumbprint(public), _canonical_jwk(public).decode())


def _jwk_invalid(what: str) -> ArgumentInvalidError:
    return ArgumentInvalidError(
        f"The key is not the public JWK of an Ed25519 key. {what}", what="owner_jwk"
    )


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the role that the set gives it (empty: none)."""

    public: Ed25519PublicKey
    role: str


def load_key_set(text: str) -> Mapping[str, VerifyingKey]:
    """Reads a JWKS of Ed25519 public keys, by key id.

    Raises:
        ValueError: it is not a JWKS, holds a private or another kind of key, or too many.
    """
    document = json.loads(text)
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MAX_KEYS:
        raise ValueError(f"a key set is a JSON object with 1 to {MAX_KEYS} keys")
    found: dict[str, VerifyingKey] = {}
    for key in keys:
        if not isinstance(key, dict) or (key.get("kty"), key.get("crv")) != ("OKP", "Ed25519"):
            raise ValueError("every key of the set must be an Ed25519 public key")
        if "d" in key:
            raise ValueError("the key set holds a private key: remove it and replace that key")
        x = str(key.get("x", ""))
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=="))
        found[_thumbprint(public)] = VerifyingKey(public, str(key.get("role", "")))
    return found
