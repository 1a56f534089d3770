"""A subject, keys, whom we trust, and short ways to ask for a verdict."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.identifiers import ContentHash
from shared.trust.envelope import (
    SignedSubject,
)
from shared.trust.keys import PrivateKey, generate_key, public_pem, sign_statement
from shared.trust.public_key import Algorithm
from shared.trust.trust_bundle import TrustBundle
from shared.trust.verification import (
    SignatureVerification,
    VerificationResult,
    verify_signature,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SUBJECT = SignedSubject(
    content_hash=ContentHash("sha256:" + "ab" * 32),
    publisher="acme",
    name="agreements",
    version="1.2.3",
    runtime="wasm-js@1",
)
ED25519 = generate_key(Algorithm.ED25519)
P256 = generate_key(Algorithm.ECDSA_P256)
assert isinstance(ED25519, Ed25519PrivateKey)
ED25519_KEY: Ed25519PrivateKey = ED25519
STRANGER = generate_key(Algorithm.ED25519)
RSA = generate_key(Algorithm.RSA_PSS)
TRUST = TrustBundle.from_pem(public_pem(ED25519) + public_pem(P256) + public_pem(RSA))
EACH_KIND = pytest.mark.parametrize("key", [ED25519, P256, RSA], ids=["ed25519", "p256", "rsa"])
GOOD = sign_statement(ED25519, SUBJECT)


def verify(
    envelope: bytes | None, *, trust: TrustBundle = TRUST, subject: SignedSubject = SUBJECT
) -> SignatureVerification:
    return verify_signature(envelope, trust=trust, subject=subject, now=NOW)


def trust_in(lines: str, key: PrivateKey = ED25519) -> TrustBundle:
    return TrustBundle.from_pem(lines.encode() + b"\n" + public_pem(key))


def changed(envelope: bytes, change: Callable[[Any], Any]) -> bytes:
    document = json.loads(envelope)
    return json.dumps(change(document) or document).encode()


def refused(envelope: bytes | None, detail: str, **given: Any) -> None:
    verification = verify(envelope, **given)
    assert verification.result is VerificationResult.FAILED
    assert detail in verification.detail
    assert verification.key_id == ""
