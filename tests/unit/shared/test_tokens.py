"""Tokens prove what they say, to whom they say it, for as long as they say."""

import base64
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from shared.clock import ManualClock
from shared.errors import InvocationGrantInvalidError, UnauthenticatedError
from shared.identifiers import (
    ContentHash,
    InstallId,
    RegistryId,
    TenantId,
    VersionId,
)
from shared.tokens.invocation_grant import (
    AUDIENCE,
    GRANT_LIFETIME,
    InvocationGrant,
    InvocationGrantVerifier,
    issue_grant,
)
from shared.tokens.keys import SigningKey, load_key_set
from shared.tokens.service_token import ServiceRole, ServiceTokenSource, ServiceTokenVerifier
from shared.trust.verification import SigningPolicy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def new_key() -> SigningKey:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey.from_pem(pem)


def key_set(key: SigningKey, role: str) -> str:
    return json.dumps({"keys": [key.public_jwk(role=role)]})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def key() -> SigningKey:
    return new_key()


def verifier(key: SigningKey, clock: ManualClock, role: str = "gateway") -> ServiceTokenVerifier:
    return ServiceTokenVerifier(
        keys=load_key_set(key_set(key, role)), audience="registry", clock=clock
    )


def test_a_service_token_gives_the_role_of_its_key(key: SigningKey, clock: ManualClock) -> None:
    source = ServiceTokenSource(key=key, audience="registry", clock=clock)
    assert verifier(key, clock).role_of(source.token()) is ServiceRole.GATEWAY


def test_a_service_token_is_renewed_before_it_expires(key: SigningKey, clock: ManualClock) -> None:
    source = ServiceTokenSource(key=key, audience="registry", clock=clock)
    checks = verifier(key, clock)
    first = source.token()
    assert source.token() == first
    clock.advance(200)
    assert source.token() != first
    clock.advance(200)
    with pytest.raises(UnauthenticatedError, match="expired"):
        checks.role_of(first)


def test_a_remembered_service_token_still_expires(key: SigningKey, clock: ManualClock) -> None:
    checks = verifier(key, clock)
    token = ServiceTokenSource(key=key, audience="registry", clock=clock).token()
    checks.role_of(token)
    clock.advance(331)
    with pytest.raises(UnauthenticatedError):
        checks.role_of(token)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"aud": "runner"}, id="another audience"),
        pytest.param({"exp": NOW - timedelta(minutes=2)}, id="expired"),
        pytest.param({"iat": NOW + timedelta(minutes=2)}, id="from the future"),
        pytest.param({"exp": NOW + timedelta(days=1)}, id="too long-lived"),
        pytest.param({"exp": None}, id="no expiry"),
        pytest.param({"exp": "soon"}, id="no number"),
    ],
)
def test_a_service_token_with_other_claims_is_refused(
    key: SigningKey, clock: ManualClock, changed: dict[str, object]
) -> None:
    claims = {"aud": "registry", "iat": NOW, "exp": NOW + timedelta(minutes=5)} | changed
    claims = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode(claims, key.private, "EdDSA", headers={"kid": key.key_id})
    with pytest.raises(UnauthenticatedError):
        verifier(key, clock).role_of(token)


def test_a_service_token_of_an_unknown_key_is_refused(key: SigningKey, clock: ManualClock) -> None:
    stranger = ServiceTokenSource(key=new_key(), audience="registry", clock=clock)
    with pytest.raises(UnauthenticatedError):
        verifier(key, clock).role_of(stranger.token())


def test_the_algorithm_of_a_service_token_is_not_its_own_choice(
    key: SigningKey, clock: ManualClock
) -> None:
    claims = {"aud": "registry", "iat": NOW, "exp": NOW + timedelta(minutes=5)}
    public = key.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    for token in (
        jwt.encode(claims, "", "none", headers={"kid": key.key_id}),
        jwt.encode(claims, public, "HS256", headers={"kid": key.key_id}),
        "x" * 5000,
        "a.b.c",
        "",
    ):
        with pytest.raises(UnauthenticatedError):
            verifier(key, clock).role_of(token)


def test_a_key_with_a_role_that_does_not_exist_opens_nothing(
    key: SigningKey, clock: ManualClock
) -> None:
    token = ServiceTokenSource(key=key, audience="registry", clock=clock).token()
    with pytest.raises(UnauthenticatedError):
        verifier(key, clock, role="root").role_of(token)


def test_a_key_set_with_a_private_key_is_refused(key: SigningKey) -> None:
    jwk = key.public_jwk(role="gateway") | {"d": "x"}
    with pytest.raises(ValueError, match="private key"):
        load_key_set(json.dumps({"keys": [jwk]}))


@pytest.mark.parametrize("text", ["{}", "[]", '{"keys": []}', '{"keys": [{"kty": "RSA"}]}'])
def test_a_malformed_key_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        load_key_set(text)


def test_the_key_id_is_the_thumbprint_whatever_the_set_says(key: SigningKey) -> None:
    jwk = key.public_jwk() | {"kid": "chosen"}
    assert set(load_key_set(json.dumps({"keys": [jwk]}))) == {key.key_id}


def test_a_signing_key_does_not_show_itself(key: SigningKey) -> None:
    raw = key.private.private_bytes_raw()
    assert base64.b64encode(raw).decode() not in repr(key)
    assert repr(raw) not in repr(key)


def a_grant(**changes: object) -> InvocationGrant:
    grant = InvocationGrant(
        tenant_id=TenantId(uuid.uuid4()),
        install_id=InstallId(uuid.uuid4()),
        registry_id=RegistryId(uuid.uuid4()),
        version_id=VersionId(uuid.uuid4()),
        publisher="acme",
        name="agreements",
        version="1.0.0",
        runtime="wasm-js@1",
        content_hash=ContentHash("sha256:" + "a" * 64),
        signature_digest="b" * 64,
        config_digest="c" * 64,
        capabilities=frozenset({"cap:storage.kv"}),
        expires_at=NOW + GRANT_LIFETIME,
    )
    return replace(grant, **changes)  # type: ignore[arg-type]


def grants(key: SigningKey, clock: ManualClock, role: str = "registry") -> InvocationGrantVerifier:
    return InvocationGrantVerifier(keys=load_key_set(key_set(key, role)), clock=clock)


def test_a_grant_survives_signing_and_checking(key: SigningKey, clock: ManualClock) -> None:
    grant = a_grant()
    assert grants(key, clock).verify(issue_grant(grant, key)) == grant


def test_a_grant_says_when_a_signature_was_seen_and_how_strict_to_be(
    key: SigningKey, clock: ManualClock
) -> None:
    grant = a_grant(
        published_at=NOW - timedelta(days=400), signing_policy=SigningPolicy.WARN, revision=7
    )
    assert grants(key, clock).verify(issue_grant(grant, key)) == grant


def claimed(key: SigningKey, **changed: object) -> str:
    claims = jwt.decode(issue_grant(a_grant(), key), options={"verify_signature": False})
    claims |= changed
    claims = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(claims, key.private, "EdDSA", headers={"kid": key.key_id})


def test_the_grant_of_an_older_registry_asks_for_no_more(
    key: SigningKey, clock: ManualClock
) -> None:
    old = grants(key, clock).verify(claimed(key, policy=..., published=..., revision=...))
    assert (old.signing_policy, old.published_at) == (SigningPolicy.OFF, None)


@pytest.mark.parametrize(
    "changed", [{"policy": "lax"}, {"policy": 1}, {"published": "x"}, {"published": [1]}]
)
def test_a_grant_with_nonsense_in_it_is_refused(
    key: SigningKey, clock: ManualClock, changed: dict[str, object]
) -> None:
    with pytest.raises(InvocationGrantInvalidError):
        grants(key, clock).verify(claimed(key, **changed))


def test_an_expired_grant_is_refused_even_when_remembered(
    key: SigningKey, clock: ManualClock
) -> None:
    checks = grants(key, clock)
    token = issue_grant(a_grant(), key)
    checks.verify(token)
    clock.advance(71)
    with pytest.raises(InvocationGrantInvalidError, match="expired"):
        checks.verify(token)
    checks.verify(token, expired_since=timedelta(hours=1))


def test_only_the_registry_grants(key: SigningKey, clock: ManualClock) -> None:
    with pytest.raises(InvocationGrantInvalidError):
        grants(key, clock, role="gateway").verify(issue_grant(a_grant(), key))
    with pytest.raises(InvocationGrantInvalidError):
        grants(key, clock).verify(issue_grant(a_grant(), new_key()))


def test_a_service_token_is_no_grant(key: SigningKey, clock: ManualClock) -> None:
    token = ServiceTokenSource(key=key, audience=AUDIENCE, clock=clock).token()
    with pytest.raises(InvocationGrantInvalidError):
        grants(key, clock).verify(token)


def test_a_changed_grant_is_refused(key: SigningKey, clock: ManualClock) -> None:
    header, _, signature = issue_grant(a_grant(), key).split(".")
    _, other, _ = issue_grant(a_grant(version="2.0.0"), new_key()).split(".")
    with pytest.raises(InvocationGrantInvalidError):
        grants(key, clock).verify(f"{header}.{other}.{signature}")
