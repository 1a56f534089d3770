"""Service tokens: which process is calling.

A short-lived EdDSA JWT, made by the caller with its own key and sent as `authorization: Bearer`.
The callee holds the public keys with the role of each (`role` in its JWKS), so a process can claim
no role but its own.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

import jwt

from shared.clock import Clock
from shared.errors import UnauthenticatedError
from shared.tokens.keys import SigningKey, VerifyingKey

TOKEN_LIFETIME = timedelta(minutes=5)
LEEWAY = timedelta(seconds=30)
MAX_TOKEN_LENGTH = 2048


class ServiceRole(StrEnum):
    """Who a calling process is."""

    GATEWAY = "gateway"
    RUNNER = "runner"
    OPERATOR = "operator"


class ServiceTokenSource:
    """Makes tokens for one audience, and renews them before they expire."""

    def __init__(self, *, key: SigningKey, audience: str, clock: Clock) -> None:
        self._key = key
        self._audience = audience
        self._clock = clock
        self._token = ""
        self._renew_at = 0.0

    def token(self) -> str:
        """A token that is valid for at least half a lifetime."""
        if not self._token or self._clock.monotonic() >= self._renew_at:
            now = self._clock.now()
            claims = {"aud": self._audience, "iat": now, "exp": now + TOKEN_LIFETIME}
            headers = {"kid": self._key.key_id}
            self._token = jwt.encode(claims, self._key.private, "EdDSA", headers=headers)
            self._renew_at = self._clock.monotonic() + TOKEN_LIFETIME.total_seconds() / 2
        return self._token


class ServiceTokenVerifier:
    """Tells the role behind a token; remembers tokens that it verified until they expire."""

    def __init__(
        self,
        *,
        keys: Mapping[str, VerifyingKey],
        audience: str,
        clock: Clock,
        max_cached: int = 256,
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._clock = clock
        self._max_cached = max_cached
        self._verified: dict[str, tuple[ServiceRole, float]] = {}

    def role_of(self, token: str) -> ServiceRole:
        """The role of the key that signed `token`.

        Raises:
            UnauthenticatedError: the token is not one for this audience, or not valid now.
        """
        now = self._clock.now().timestamp()
        if known := self._verified.get(token):
            role, expires_at = known
            if now < expires_at:
                return role
            del self._verified[token]
        role, expires_at = self._verify(token, now)
        if len(self._verified) >= self._max_cached:
            self._verified.clear()
        self._verified[token] = (role, expires_at)
        return role

    def _verify(self, token: str, now: float) -> tuple[ServiceRole, float]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise UnauthenticatedError("The service token is too long.")
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token,
                key.public,
                algorithms=["EdDSA"],
                audience=self._audience,
                options={
                    "require": ["exp", "iat", "aud"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
            issued_at, expires_at = float(claims["iat"]), float(claims["exp"])
            role = ServiceRole(key.role)
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
            raise UnauthenticatedError("The service token is not valid here.") from None
        leeway = LEEWAY.total_seconds()
        if not issued_at - leeway <= now < expires_at + leeway:
            raise UnauthenticatedError("The service token is expired or not yet valid.")
        if expires_at - issued_at > TOKEN_LIFETIME.total_seconds() + leeway:
            raise UnauthenticatedError("The service token lives longer than it may.")
        return role, expires_at + leeway
