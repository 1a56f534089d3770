"""Which keys of a set are used, and when a set is read again."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway_shim.jwks import REFRESH_SECONDS, RETRY_SECONDS, KeySet, parse_jwks
from shared.clock import ManualClock
from shared.errors import IdentityUnavailableError
from shared.tokens.keys import SigningKey
from tests.fixtures.tokens import new_pem

ED = SigningKey.from_pem(new_pem()).public_jwk()
RSA_PRIVATE = rsa.generate_private_key(65537, 2048)
RSA = RSAAlgorithm.to_jwk(RSA_PRIVATE.public_key(), as_dict=True) | {"kid": "rsa"}
P256 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
P384 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True)
WEAK_RSA = RSAAlgorithm.to_jwk(
    rsa.generate_private_key(65537, 1024).public_key(),  # noqa: S505 - to be refused
    as_dict=True,
)


def text(*keys: Any) -> str:
    return json.dumps({"keys": keys})


def test_the_algorithm_is_the_keys() -> None:
    keys = parse_jwks(text(ED, RSA, P256 | {"kid": "ec"}))
    assert {kid: key.algorithm for kid, key in keys.items()} == {
        ED["kid"]: "EdDSA",
        "rsa": "RS256",
        "ec": "ES256",
    }


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x"},
        RSA | {"kid": "x", "use": "enc"},
        RSA | {"kid": "x", "alg": "RS512"},
        RSA | {"kid": "x", "alg": "HS256"},
        P384 | {"kid": "x"},
        WEAK_RSA | {"kid": "x"},
        {key: value for key, value in RSA.items() if key != "kid"},
        RSA | {"kid": 7},
        RSA | {"kid": ""},
        {"kty": "OKP", "crv": "X25519", "x": ED["x"], "kid": "x"},
        {},
    ],
)
def test_a_key_of_no_use_here_is_left_out(other: dict[str, Any]) -> None:
    assert list(parse_jwks(text(ED, other))) == [ED["kid"]]
    with pytest.raises(ValueError, match="no key"):
        parse_jwks(text(other))


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "[]",
        "{}",
        '{"keys": 1}',
        text(1),
        text(),
        text(ED, RSA | {"kid": ED["kid"]}),
        text(ED, RSAAlgorithm.to_jwk(RSA_PRIVATE, as_dict=True) | {"kid": "x"}),
        text(ED | {"x": "AAAA"}),
        text(P256 | {"kid": "x", "x": P256["y"]}),
        text(*[ED] * 65),
    ],
)
def test_a_set_that_is_wrong_is_refused_whole(bad: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_jwks(bad)


class Source:
    """What a key set is read from; counts the reads."""

    def __init__(self) -> None:
        self.text: str | None = text(ED)
        self.reads = 0

    async def __call__(self) -> str:
        self.reads += 1
        if self.text is None:
            raise OSError("away")
        return self.text


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


async def test_an_unknown_id_reads_again_but_not_at_once(clock: ManualClock) -> None:
    source = Source()
    keys = KeySet(read=source, clock=clock)
    assert await keys.find(ED["kid"]) is not None
    assert await keys.find("rsa") is None
    assert source.reads == 1
    source.text = text(ED, RSA)
    clock.advance(RETRY_SECONDS)
    assert await keys.find("rsa") is not None
    assert source.reads == 2


async def test_a_removed_key_is_forgotten_when_the_set_is_old(clock: ManualClock) -> None:
    source = Source()
    keys = KeySet(read=source, clock=clock)
    await keys.find(ED["kid"])
    before = keys.generation
    source.text = text(RSA)
    clock.advance(REFRESH_SECONDS)
    assert await keys.find(ED["kid"]) is not None  # starts the reading, and does not wait for it
    assert await keys.find("rsa") is not None  # waits for it
    assert keys.generation == before + 1
    assert await keys.find(ED["kid"]) is None
    assert source.reads == 2


async def test_a_source_that_is_away_takes_no_key_away(clock: ManualClock) -> None:
    source = Source()
    keys = KeySet(read=source, clock=clock)
    await keys.find(ED["kid"])
    for broken in (None, "{", text(ED | {"d": "secret"})):
        source.text = broken
        clock.advance(RETRY_SECONDS)
        assert await keys.find("unknown") is None
        assert await keys.find(ED["kid"]) is not None


async def test_without_keys_nobody_is_refused_as_if_it_were_their_fault(
    clock: ManualClock,
) -> None:
    source = Source()
    source.text = None
    keys = KeySet(read=source, clock=clock)
    with pytest.raises(IdentityUnavailableError):
        await keys.find("any")
    source.text = text(ED)
    clock.advance(RETRY_SECONDS)
    assert await keys.load()
