"""Nobody is let in by a token that is not exactly right."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.clock import SystemClock
from shared.tokens.keys import SigningKey
from tests.fixtures.gateway import GatewayRig, StartRig
from tests.fixtures.tokens import TENANT_A, TENANT_B, UserIssuer, new_pem

NOW = SystemClock().now()
LONG_AGO = NOW - timedelta(hours=1)
claims = UserIssuer.claims


@pytest.fixture(scope="module")
async def gateway(
    start_rig: StartRig, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[GatewayRig]:
    """One gateway that knows an Ed25519, an RSA and an EC key."""
    file = tmp_path_factory.mktemp("jwks") / "jwks.json"
    file.write_text(json.dumps({"keys": [*KEYS.jwks()]}))
    async with start_rig(jwks=str(file)) as rig:
        yield rig


class Keys:
    """The issuer's keys, one of each kind, and one that nobody knows."""

    def __init__(self) -> None:
        self.ed = SigningKey.from_pem(new_pem())
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.unknown = SigningKey.from_pem(new_pem())

    def jwks(self) -> list[dict[str, Any]]:
        rsa_jwk = RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True)
        ec_jwk = ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True)
        return [
            self.ed.public_jwk(),
            {**rsa_jwk, "kid": "rsa"},
            {**ec_jwk, "kid": "ec", "alg": "ES256"},
            {
                "kty": "oct",
                "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
                "kid": "shared",
                "alg": "HS256",
            },
        ]

    def rsa_pem(self) -> bytes:
        return self.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


KEYS = Keys()


def encoded(part: object) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part, default=timestamp).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def timestamp(moment: Any) -> int:
    return int(moment.timestamp())


def ed_token(header: dict[str, Any] | None = None, **changed: Any) -> str:
    header = {"kid": KEYS.ed.key_id, **(header or {})}
    return jwt.encode(claims(**changed), KEYS.ed.private, "EdDSA", headers=header)


def hand_made(header: object, payload: object, sign: Any) -> str:
    """A token put together by hand, with what a library would refuse to write."""
    signed = f"{encoded(header)}.{encoded(payload)}"
    return f"{signed}.{encoded(sign(signed.encode()))}"


def by_hmac(secret: bytes) -> Any:
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


ED_HEADER = {"alg": "EdDSA", "kid": KEYS.ed.key_id}
STRANGER = ED_HEADER | {"jwk": KEYS.unknown.public_jwk()}

REFUSED = {
    "alg none": hand_made(ED_HEADER | {"alg": "none"}, claims(), lambda _: b""),
    "alg none with a signature": hand_made(
        ED_HEADER | {"alg": "none"}, claims(), KEYS.ed.private.sign
    ),
    "no signature": ed_token().rpartition(".")[0] + ".",
    "HS256 with the RSA public key": hand_made(
        {"alg": "HS256", "kid": "rsa"}, claims(), by_hmac(KEYS.rsa_pem())
    ),
    "HS256 with the Ed25519 public key": hand_made(
        ED_HEADER | {"alg": "HS256"},
        claims(),
        by_hmac(KEYS.ed.private.public_key().public_bytes_raw()),
    ),
    "HS256 with a shared key of the set": jwt.encode(
        claims(), b"secretsecretsecretsecret" * 2, "HS256", headers={"kid": "shared"}
    ),
    "RS384": jwt.encode(claims(), KEYS.rsa, "RS384", headers={"kid": "rsa"}),
    "PS256": jwt.encode(claims(), KEYS.rsa, "PS256", headers={"kid": "rsa"}),
    "the EC key's signature under the RSA key's id": jwt.encode(
        claims(), KEYS.ec, "ES256", headers={"kid": "rsa"}
    ),
    "an unknown key": jwt.encode(
        claims(), KEYS.unknown.private, "EdDSA", headers={"kid": KEYS.unknown.key_id}
    ),
    "an unknown key under a known id": jwt.encode(
        claims(), KEYS.unknown.private, "EdDSA", headers={"kid": KEYS.ed.key_id}
    ),
    "no kid": hand_made({"alg": "EdDSA"}, claims(), KEYS.ed.private.sign),
    "a kid that is no text": hand_made(ED_HEADER | {"kid": 7}, claims(), KEYS.ed.private.sign),
    "a kid that is a path": ed_token({"kid": "../../../../etc/passwd"}),
    "an embedded jwk": hand_made(STRANGER, claims(), KEYS.unknown.private.sign),
    "a jku": hand_made(
        ED_HEADER | {"kid": "x", "jku": "http://127.0.0.1:1/jwks"},
        claims(),
        KEYS.unknown.private.sign,
    ),
    "an unknown critical header": hand_made(
        ED_HEADER | {"crit": ["x"], "x": 1}, claims(), KEYS.ed.private.sign
    ),
    "wrong issuer": ed_token(iss="https://evil.test"),
    "no issuer": ed_token(iss=None),
    "wrong audience": ed_token(aud="another-service"),
    "no audience": ed_token(aud=None),
    "an audience that only contains ours": ed_token(aud="extension-gateway-2"),
    "no expiry": ed_token(exp=None),
    "expired": ed_token(exp=LONG_AGO),
    "expired just beyond the leeway": ed_token(exp=NOW - timedelta(seconds=11)),
    "an expiry that is text": ed_token(exp="9999999999"),
    "an expiry that is true": hand_made(ED_HEADER, claims(exp=True), KEYS.ed.private.sign),
    "an endless expiry": hand_made(ED_HEADER, b'{"exp":1e999}', KEYS.ed.private.sign),
    "not valid yet": ed_token(nbf=NOW + timedelta(hours=1)),
    "no tenant": ed_token(tenant=None),
    "a tenant that is no UUID": ed_token(tenant="tenant-a"),
    "two tenants in one claim": ed_token(tenant=[str(TENANT_A), str(TENANT_B)]),
    "no user": ed_token(sub=None),
    "an empty user": ed_token(sub=""),
    "a claim that is no text": ed_token(email={"a": 1}),
    "a claim that is too long": ed_token(name="x" * 513),
    "a claim with a line break": ed_token(name="a\nb"),
    "a claim twice": hand_made(
        ED_HEADER,
        json.dumps(claims(), default=timestamp).encode()[:-1]
        + f',"tenant":"{TENANT_B}"}}'.encode(),
        KEYS.ed.private.sign,
    ),
    "claims that are a list": hand_made(ED_HEADER, [claims()], KEYS.ed.private.sign),
    "claims that are no JSON": hand_made(ED_HEADER, b"\xff\xfe", KEYS.ed.private.sign),
    "claims that are very deep": hand_made(ED_HEADER, b"[" * 3000, KEYS.ed.private.sign),
    "a header that is very deep": hand_made(b"[" * 3000, claims(), KEYS.ed.private.sign),
    "a changed payload": ".".join(
        [ed_token().split(".")[0], encoded(claims(TENANT_B)), ed_token().split(".")[2]]
    ),
    "four parts": ed_token() + ".x",
    "padding": ed_token() + "=",
    "not a token": "abc",
    "nothing": "",
    "too long": "a" * 4000 + "." + "b" * 4200 + ".c",
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_wrong_token_is_refused(gateway: GatewayRig, what: str) -> None:
    header = {"authorization": f"Bearer {REFUSED[what]}"}
    calls = gateway.registry.calls
    async with gateway.http.get(gateway.url(), headers=header) as got:
        text = await got.text()
    assert got.status == 401, text
    assert json.loads(text)["reason"] == "unauthenticated"
    assert got.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    for part in REFUSED[what].split("."):
        assert len(part) < 8 or part not in text
    assert gateway.registry.calls == calls
    assert not gateway.runner.requests


@pytest.mark.parametrize("kind", ["EdDSA", "RS256", "ES256"])
async def test_each_kind_of_key_is_accepted(start_rig: StartRig, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": KEYS.jwks()}))
    signers: dict[str, tuple[Any, str]] = {
        "EdDSA": (KEYS.ed.private, KEYS.ed.key_id),
        "RS256": (KEYS.rsa, "rsa"),
        "ES256": (KEYS.ec, "ec"),
    }
    key, kid = signers[kind]
    token = jwt.encode(claims(aud=["other", "extension-gateway"]), key, kind, headers={"kid": kid})
    async with (
        start_rig(jwks=str(file)) as rig,
        rig.http.get(rig.url(), headers={"authorization": f"bearer {token}"}) as got,
    ):
        assert got.status == 200


async def test_without_a_token_the_answer_says_how_to_send_one(gateway: GatewayRig) -> None:
    async with aiohttp.ClientSession() as anonymous, anonymous.get(gateway.url()) as got:
        assert got.status == 401
        assert got.headers["www-authenticate"] == "Bearer"
        assert (await got.json())["reason"] == "unauthenticated"


@pytest.mark.parametrize(
    "value",
    ["Basic dXNlcjpwYXNz", "Bearer", "Token abc", "Bearer a b", "Bearer a.b.c, Bearer d.e.f"],
)
async def test_another_scheme_is_refused(gateway: GatewayRig, value: str) -> None:
    async with gateway.http.get(gateway.url(), headers={"authorization": value}) as got:
        assert got.status == 401


async def test_two_authorization_headers_are_refused(gateway: GatewayRig) -> None:
    one = ("authorization", f"Bearer {ed_token()}")
    async with aiohttp.ClientSession() as anonymous:
        async with anonymous.get(gateway.url(), headers=[one, one]) as got:
            assert got.status == 401
        async with anonymous.get(gateway.url(), headers=[one]) as got:
            assert got.status == 200
    gateway.runner.requests.clear()


@pytest.mark.parametrize("name", ["x-alga-tenant", "x-tenant-id"])
async def test_a_header_that_names_another_tenant_is_refused(
    gateway: GatewayRig, name: str
) -> None:
    token = {"authorization": f"Bearer {ed_token()}"}
    for value in (str(TENANT_B), "", "*", f"{TENANT_A}, {TENANT_B}"):
        async with gateway.http.get(gateway.url(), headers={**token, name: value}) as got:
            assert got.status == 403
            assert (await got.json())["reason"] == "tenant_mismatch"
    assert not gateway.runner.requests
    same = {**token, name: str(TENANT_A).upper()}
    async with gateway.http.get(gateway.url(), headers=same) as got:
        assert got.status == 200
    gateway.runner.requests.clear()


async def test_a_verified_token_is_not_remembered_beyond_its_expiry(start_rig: StartRig) -> None:
    async with start_rig(leeway_seconds=0) as rig:
        exp = (SystemClock().now() + timedelta(seconds=1.2)).timestamp()
        header = {"authorization": f"Bearer {rig.issuer.token(exp=exp)}"}
        async with rig.http.get(rig.url(), headers=header) as got:
            assert got.status == 200
        await asyncio.sleep(1.3)
        async with rig.http.get(rig.url(), headers=header) as got:
            assert got.status == 401


async def test_keys_come_from_a_url_and_unknown_ids_ask_it_rarely(start_rig: StartRig) -> None:
    asked = 0

    async def jwks(_request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"keys": KEYS.jwks()})

    app = web.Application()
    app.router.add_get("/jwks.json", jwks)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with start_rig(jwks=f"http://127.0.0.1:{port}/jwks.json") as rig:
            good = {"authorization": f"Bearer {ed_token()}"}
            unknown = {"authorization": f"Bearer {REFUSED['an unknown key']}"}
            for headers, status in ((unknown, 401), (good, 200), (unknown, 401)):
                async with rig.http.get(rig.url(), headers=headers) as got:
                    assert got.status == status
        assert asked == 1
    finally:
        await runner.cleanup()


async def test_without_any_key_the_gateway_says_that_it_is_its_own_fault(
    start_rig: StartRig,
) -> None:
    async with start_rig(jwks="http://127.0.0.1:1/jwks.json") as rig:
        async with rig.http.get(rig.url()) as got:
            assert got.status == 503
            assert (await got.json())["reason"] == "identity_unavailable"
        async with rig.http.get(f"{rig.gateway.url}/readyz") as got:
            assert got.status == 503
            assert (await got.json())["checks"]["keys"] == "failed"
