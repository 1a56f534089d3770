"""The public keys that verify callers' tokens, and when they are read again.

The algorithm belongs to the key: it is fixed here, before any token is seen. Keys of other kinds
are left out, so a shared secret or an encryption key in the set verifies nothing.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWKError, PyJWTError

from shared.clock import Clock
from shared.errors import IdentityUnavailableError

MAX_KEYS = 64
MAX_KEY_ID_LENGTH = 256
MIN_RSA_BITS = 2048
REFRESH_SECONDS = 600.0
RETRY_SECONDS = 10.0

PublicKey = Ed25519PublicKey | RSAPublicKey | EllipticCurvePublicKey
ReadKeySet = Callable[[], Awaitable[str]]
"""Gives the text of a JWKS; raises `OSError` when it cannot be had."""

_ALGORITHMS = {("OKP", "Ed25519"): "EdDSA", ("RSA", ""): "RS256", ("EC", "P-256"): "ES256"}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A public key and the only algorithm that it may be used with."""

    public: PublicKey
    algorithm: str


def parse_jwks(text: str) -> Mapping[str, TokenKey]:
    """Reads the usable keys of a JWKS, by `kid`.

    Raises:
        ValueError: it is no JWKS, has no usable key, a key id twice, or a private key.
    """
    document = json.loads(text)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError(f"a key set is a JSON object with at most {MAX_KEYS} keys")
    keys: dict[str, TokenKey] = {}
    for jwk in listed:
        if not isinstance(jwk, dict):
            raise ValueError("every key of the set must be an object")  # noqa: TRY004
        if "d" in jwk:
            raise ValueError("the key set holds a private key: remove it and replace that key")
        key = _token_key(jwk)
        kid = jwk.get("kid")
        if key is None or not isinstance(kid, str) or not 0 < len(kid) <= MAX_KEY_ID_LENGTH:
            continue
        if kid in keys:
            raise ValueError("two keys of the set have the same kid")
        keys[kid] = key
    if not keys:
        raise ValueError("no key of the set is an Ed25519, P-256 or RSA key with a kid")
    return keys


def _token_key(jwk: Mapping[str, object]) -> TokenKey | None:
    """The key, or None when it is of a kind that verifies no token here."""
    curve = jwk.get("crv", "") if jwk.get("kty") != "RSA" else ""
    algorithm = _ALGORITHMS.get((str(jwk.get("kty")), str(curve)))
    if algorithm is None or jwk.get("use", "sig") != "sig":
        return None
    if jwk.get("alg", algorithm) != algorithm:
        return None
    try:
        public = PyJWK(dict(jwk), algorithm).key
    except (PyJWKError, PyJWTError, ValueError, TypeError):
        raise ValueError(f"a {algorithm} key of the set is malformed") from None
    if isinstance(public, RSAPublicKey) and public.key_size < MIN_RSA_BITS:
        return None
    return TokenKey(public, algorithm)


class KeySet:
    """The keys of one source, read again when they are old or a key id is unknown."""

    def __init__(self, *, read: ReadKeySet, clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._keys: Mapping[str, TokenKey] = {}
        self._text = ""
        self._tried_at: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self.generation = 0
        """Grows whenever the keys change, so that what they verified can be forgotten."""

    async def find(self, key_id: str) -> TokenKey | None:
        """The key with this id, or None.

        Raises:
            IdentityUnavailableError: no key set could be read yet.
        """
        key = self._keys.get(key_id)
        age = self._age()
        if key is None and (age >= RETRY_SECONDS or self._is_reading()):
            await asyncio.shield(self._refreshing())
            key = self._keys.get(key_id)
        elif age >= REFRESH_SECONDS:
            self._refreshing()
        if not self._keys:
            # Nobody can be told apart from an impostor.
            raise IdentityUnavailableError(retry_after_ms=int(RETRY_SECONDS * 1000))
        return key

    async def load(self) -> bool:
        """Reads the source unless it was tried just now; tells whether there is any key."""
        if not self._keys and self._age() >= RETRY_SECONDS:
            await asyncio.shield(self._refreshing())
        return bool(self._keys)

    def _age(self) -> float:
        if self._tried_at is None:
            return float("inf")
        return self._clock.monotonic() - self._tried_at

    def _is_reading(self) -> bool:
        return self._reading is not None and not self._reading.done()

    def _refreshing(self) -> asyncio.Task[None]:
        if self._reading is None or not self._is_reading():
            self._tried_at = self._clock.monotonic()
            self._reading = asyncio.get_running_loop().create_task(self._load())
        return self._reading

    async def _load(self) -> None:
        try:
            text = await self._read()
            keys = parse_jwks(text)
        except (OSError, ValueError, RecursionError) as error:
            # The source's own text may be in a parser's message: name the kind of fault only.
            _log.error("key set not usable", fault=type(error).__name__)
            return
        if text != self._text:
            self._text = text
            self._keys = keys
            self.generation += 1
