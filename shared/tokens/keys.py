"""Ed25519 signing keys and the sets of public keys that verify what they sign.

A set is a JSON Web Key Set (RFC 7517, RFC 8037). The key id is the RFC 7638 thumbprint, so a key
and its public half agree on it without being told.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

MAX_KEYS = 64


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _thumbprint(public: Ed25519PublicKey) -> str:
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public.public_bytes_raw())}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return _base64url(hashlib.sha256(canonical).digest())


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
