"""Development user tokens carry what the gateway reads."""

import uuid
from datetime import UTC, datetime, timedelta

import jwt

from extctl.user_token import UserClaims, mint_user_token
from shared.clock import ManualClock
from shared.identifiers import TenantId
from shared.tokens.keys import SigningKey
from shared.trust.keys import generate_key, private_pem

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_token_speaks_for_one_tenant_and_expires() -> None:
    key = SigningKey.from_pem(private_pem(generate_key()))
    tenant = TenantId(uuid.uuid4())
    token = mint_user_token(
        UserClaims(tenant_id=tenant, user_id="ada", name="Ada"),
        key=key,
        issuer="issuer",
        audience="audience",
        lifetime=timedelta(minutes=5),
        clock=ManualClock(NOW),
    )
    claims = jwt.decode(
        token,
        key.private.public_key(),
        algorithms=["EdDSA"],
        audience="audience",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims == {
        "iss": "issuer",
        "aud": "audience",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 300,
        "sub": "ada",
        "name": "Ada",
        "user_type": "internal",
        "tenant": str(tenant),
    }
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
