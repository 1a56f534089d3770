"""Who calls: a bearer token, verified, as a tenant and a user.

The token says who; the key says how it is verified; nothing else in a request says anything about
identity.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from jwt import PyJWS
from jwt.exceptions import InvalidTokenError

from gateway_shim.header_policy import RawHeaders, values_of
from gateway_shim.jwks import KeySet
from shared.clock import Clock
from shared.errors import ArgumentInvalidError, TenantMismatchError, UnauthenticatedError
from shared.identifiers import TenantId, parse_uuid

MAX_TOKEN_BYTES = 8192
MAX_CACHED = 4096
MAX_CLAIM_LENGTH = 512
TENANT_HEADERS = (b"x-alga-tenant", b"x-tenant-id")

_BEARER = re.compile(rb"[Bb]earer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+) *")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified user of one tenant; fields that the token does not have are empty."""

    tenant_id: TenantId
    user_id: str
    user_email: str = ""
    user_name: str = ""
    user_type: str = ""
    client_name: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say, and in which claims it says the rest."""

    issuer: str
    audience: str
    tenant_claim: str
    user_claims: Mapping[str, str]
    """Field of `Caller` to name of claim; `user_id` is required."""
    leeway_seconds: int


class Identity:
    """Tells the caller of a request; remembers tokens that it verified until they expire."""

    def __init__(self, *, keys: KeySet, rules: TokenRules, clock: Clock) -> None:
        self._keys = keys
        self._rules = rules
        self._clock = clock
        self._jws = PyJWS()
        self._verified: dict[bytes, tuple[Caller, float]] = {}
        self._generation = keys.generation

    async def caller_of(self, headers: RawHeaders) -> Caller:
        """The caller whose bearer token `headers` carry.

        Raises:
            UnauthenticatedError: there is no token, more than one, or not one for us, now.
            TenantMismatchError: a header names another tenant than the token.
            IdentityUnavailableError: there are no keys to verify with.
        """
        token = _bearer_token(headers)
        caller = self._remembered(token)
        if caller is None:
            caller = await self._verify(token)
        for name in TENANT_HEADERS:
            for value in values_of(headers, name):
                if value.strip().lower() != str(caller.tenant_id).encode():
                    raise TenantMismatchError
        return caller

    def _remembered(self, token: bytes) -> Caller | None:
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._verified.clear()
        found = self._verified.get(token)
        if found is None:
            return None
        caller, expires_at = found
        if self._clock.now().timestamp() < expires_at:
            return caller
        del self._verified[token]
        return None

    async def _verify(self, token: bytes) -> Caller:
        try:
            key_id = self._jws.get_unverified_header(token).get("kid")
        except (InvalidTokenError, RecursionError):
            raise _refused() from None
        key = await self._keys.find(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise _refused("The token is signed with a key that is not known here.")
        try:
            payload = self._jws.decode(token, key.public, algorithms=[key.algorithm])
            claims = json.loads(payload, object_pairs_hook=_unique)
            if not isinstance(claims, dict):
                raise _refused()
            expires_at = self._expiry(claims)
            caller = self._caller(claims)
        except (InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError):
            raise _refused() from None
        if len(self._verified) >= MAX_CACHED:
            del self._verified[next(iter(self._verified))]
        self._verified[token] = (caller, expires_at)
        return caller

    def _expiry(self, claims: Mapping[str, object]) -> float:
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != self._rules.issuer or self._rules.audience not in audiences:
            raise _refused("The token is not meant for this service.")
        leeway = self._rules.leeway_seconds
        now = self._clock.now().timestamp()
        if now < _moment(claims.get("nbf", 0)) - leeway:
            raise _refused("The token is not valid yet.")
        expires_at = _moment(claims.get("exp")) + leeway
        if now >= expires_at:
            raise _refused("The token has expired.")
        return expires_at

    def _caller(self, claims: Mapping[str, object]) -> Caller:
        try:
            tenant_id = parse_uuid(str(claims.get(self._rules.tenant_claim)), "tenant")
        except ArgumentInvalidError:
            raise _refused("The token names no tenant.") from None
        fields = {}
        for field, claim in self._rules.user_claims.items():
            value = claims.get(claim, "")
            if not isinstance(value, str) or len(value) > MAX_CLAIM_LENGTH:
                raise _refused(f"The token's claim {claim} is not a short text.")
            if _CONTROL.search(value):
                raise _refused(f"The token's claim {claim} has a control character.")
            fields[field] = value
        if not fields["user_id"]:
            raise _refused("The token names no user.")
        return Caller(TenantId(tenant_id), **fields)


def _bearer_token(headers: RawHeaders) -> bytes:
    given = values_of(headers, b"authorization")
    if not given:
        raise UnauthenticatedError('Send "Authorization: Bearer" with a token.')
    if len(given) > 1:
        raise _refused("The request has more than one Authorization header.")
    if len(given[0]) > MAX_TOKEN_BYTES:
        raise _refused("The token is too long.")
    found = _BEARER.fullmatch(given[0])
    if found is None:
        raise _refused('The Authorization header must be "Bearer" and a signed JWT.')
    return found[1]


def _refused(message: str = "The token is not valid.") -> UnauthenticatedError:
    return UnauthenticatedError(message, challenge=' error="invalid_token"')


def _moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _refused("The token's times are not numbers, or are missing.")
    return float(value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a claim stands twice")
    return found
