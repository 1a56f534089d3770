"""Development user tokens: what a real deployment's identity provider would issue."""

from dataclasses import dataclass
from datetime import timedelta

import jwt

from shared.clock import Clock
from shared.identifiers import TenantId
from shared.tokens.keys import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class UserClaims:
    """Who the token speaks for."""

    tenant_id: TenantId
    user_id: str
    email: str = ""
    name: str = ""
    user_type: str = "internal"
    client_name: str = ""


def mint_user_token(
    claims: UserClaims,
    *,
    key: SigningKey,
    issuer: str,
    audience: str,
    lifetime: timedelta,
    clock: Clock,
) -> str:
    """Signs a token that a gateway of the development stack accepts."""
    now = clock.now()
    optional = {
        "email": claims.email,
        "name": claims.name,
        "user_type": claims.user_type,
        "client_name": claims.client_name,
    }
    return jwt.encode(
        {
            "iss": issuer,
            "aud": audience,
            "iat": now,
            "exp": now + lifetime,
            "sub": claims.user_id,
            "tenant": str(claims.tenant_id),
            **{name: value for name, value in optional.items() if value},
        },
        key.private,
        "EdDSA",
        headers={"kid": key.key_id},
    )
