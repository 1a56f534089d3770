"""A publisher proof says one thing, by one owner, for a while; everything else is refused."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from shared.errors import ArgumentInvalidError, PublisherNotOwnedError
from shared.tokens.keys import PublicKey, SigningKey
from shared.tokens.publisher_proof import (
    AUDIENCE,
    PROOF_LIFETIME,
    TYPE,
    PublisherAction,
    PublisherProof,
    issue_proof,
    verify_proof,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ABOUT = f"sha256:{'0' * 64}"


def new_key() -> SigningKey:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey.from_pem(pem)


@pytest.fixture
def key() -> SigningKey:
    return new_key()


def verify(proof: str, key: SigningKey, **changed: Any) -> PublisherProof:
    asked: dict[str, Any] = {
        "publisher": "acme", "action": PublisherAction.ADD_VERSION, "about": ABOUT, "now": NOW,
        **changed,
    }  # fmt: skip
    return verify_proof(proof, owners={key.key_id: key.private.public_key()}, **asked)


def forged(key: SigningKey, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A proof that is right, but for what is changed; None leaves a claim out."""
    said = {
        "aud": AUDIENCE, "iat": int(NOW.timestamp()),
        "exp": int((NOW + PROOF_LIFETIME).timestamp()), "jti": "one", "publisher": "acme",
        "action": "add_version", "about": ABOUT, **claims,
    }  # fmt: skip
    kept = {name: value for name, value in said.items() if value is not None}
    headers = {"kid": key.key_id, "typ": TYPE, **(header or {})}
    return jwt.encode(kept, key.private, "EdDSA", headers=headers)


def test_an_owners_proof_is_accepted_and_each_is_another(key: SigningKey) -> None:
    proofs = [
        issue_proof(key, publisher="acme", action=PublisherAction.ADD_VERSION, about=ABOUT, now=NOW)
        for _ in range(2)
    ]
    verified = [verify(proof, key) for proof in proofs]
    assert {proof.key_id for proof in verified} == {key.key_id}
    assert len({proof.proof_id for proof in verified}) == 2
    assert verify(forged(key), key).proof_id == "one"


@pytest.mark.parametrize(
    "asked",
    [
        {"publisher": "globex"},
        {"action": PublisherAction.YANK},
        {"about": f"sha256:{'1' * 64}"},
        {"now": NOW + PROOF_LIFETIME + timedelta(seconds=31)},
        {"now": NOW - timedelta(seconds=31)},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_a_proof_of_something_else_is_refused(key: SigningKey, asked: dict[str, Any]) -> None:
    proof = issue_proof(
        key, publisher="acme", action=PublisherAction.ADD_VERSION, about=ABOUT, now=NOW
    )
    with pytest.raises(PublisherNotOwnedError):
        verify(proof, key, **asked)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "registry"},
        {"aud": [AUDIENCE]},
        {"aud": None},
        {"iat": None},
        {"exp": None},
        {"jti": None},
        {"publisher": None},
        {"action": None},
        {"about": None},
        {"jti": ""},
        {"jti": "x" * 65},
        {"jti": "\n"},
        {"jti": 7},
        {"iat": "now"},
        {"iat": True},
        {"exp": 1e300},
        {"exp": int((NOW + timedelta(hours=1)).timestamp())},
        {"iat": 0},
        {"publisher": ["acme"]},
        {"about": {"": ABOUT}},
        {"action": 1},
    ],
    ids=lambda claims: "-".join(f"{name}={value!r:.20}" for name, value in claims.items()),
)
def test_a_claim_that_is_missing_or_loose_is_refused(
    key: SigningKey, claims: dict[str, Any]
) -> None:
    with pytest.raises(PublisherNotOwnedError):
        verify(forged(key, **claims), key)


@pytest.mark.parametrize(
    "header", [{"typ": "JWT"}, {"typ": None}, {"kid": "somebody"}, {"kid": "x" * 43}]
)
def test_a_header_of_another_token_is_refused(key: SigningKey, header: dict[str, Any]) -> None:
    with pytest.raises(PublisherNotOwnedError):
        verify(forged(key, header=header), key)


def test_a_strangers_key_is_refused_under_an_owners_key_id(key: SigningKey) -> None:
    stranger = new_key()
    with pytest.raises(PublisherNotOwnedError):
        verify(forged(stranger, header={"kid": key.key_id}), key)
    with pytest.raises(PublisherNotOwnedError, match="is no owner"):
        verify(forged(stranger), key)


def test_a_public_key_is_no_shared_secret(key: SigningKey) -> None:
    """The classic confusion: HMAC with the public key, and no signature at all."""
    claims = jwt.decode(forged(key), options={"verify_signature": False})
    headers = {"kid": key.key_id, "typ": TYPE}
    raw = key.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    for proof in (
        jwt.encode(claims, raw, "HS256", headers=headers),
        jwt.encode(claims, "", "none", headers=headers),
        forged(key).rpartition(".")[0] + ".",
    ):
        with pytest.raises(PublisherNotOwnedError):
            verify(proof, key)


@pytest.mark.parametrize(
    "proof", ["x", "..", "a.b.c", "\0", "é.é.é", "x" * 2049, "e30.e30.e30"], ids=ascii
)
def test_what_is_no_token_is_refused(key: SigningKey, proof: str) -> None:
    with pytest.raises(PublisherNotOwnedError):
        verify(proof, key)


def test_another_spelling_of_a_proof_is_refused(key: SigningKey) -> None:
    """The last character of base64url has bits to spare."""
    proof = forged(key)
    spare = {"A": "B", "Q": "R", "g": "h", "w": "x"}[proof[-1]]
    with pytest.raises(PublisherNotOwnedError):
        verify(proof[:-1] + spare, key)


def test_a_jwk_has_one_canonical_form_whose_thumbprint_is_the_key_id(key: SigningKey) -> None:
    read = PublicKey.from_jwk(json.dumps(key.public_jwk(role="operator")))
    assert read.key_id == key.key_id
    assert set(json.loads(read.jwk)) == {"crv", "kty", "x"}
    assert PublicKey.from_jwk(read.jwk) == read


def _x(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


ZEROS = _x(bytes(32))


def _jwk(**members: object) -> str:
    return json.dumps({"kty": "OKP", "crv": "Ed25519", "x": ZEROS, **members})


@pytest.mark.parametrize(
    "jwk",
    [
        "",
        "{}",
        "[]",
        "null",
        "x" * 2000,
        "\ud800",
        _jwk(x=None),
        _jwk(x=7),
        _jwk(crv="X25519"),
        _jwk(kty="RSA"),
        _jwk(x=_x(bytes(31))),
        _jwk(x=_x(bytes(33))),
        _jwk(x=f"{ZEROS}="),
        _jwk(x=f"{ZEROS[:-1]}B"),
        _jwk(d=ZEROS),
        f'{_jwk()[:-1]}, "x": "{ZEROS}"}}',
    ],
    ids=lambda jwk: ascii(jwk)[:30],
)
def test_what_is_no_public_ed25519_jwk_is_refused_and_not_repeated(jwk: str) -> None:
    with pytest.raises(ArgumentInvalidError) as refused:
        PublicKey.from_jwk(jwk)
    assert len(refused.value.message) < 200
    assert ZEROS not in refused.value.message
