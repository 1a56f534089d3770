"""Signatures: one way to be verified, and a reason for every way not to be."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from shared.identifiers import ContentHash
from shared.trust.envelope import (
    pre_authentication_encoding,
    write_envelope,
    write_statement,
)
from shared.trust.keys import PrivateKey, sign_statement
from shared.trust.public_key import PSS_PADDING, key_id_of
from shared.trust.trust_bundle import TrustBundle
from shared.trust.verification import (
    VerificationResult,
)
from tests.unit.shared.trust.signing import (
    EACH_KIND,
    ED25519,
    ED25519_KEY,
    GOOD,
    P256,
    RSA,
    STRANGER,
    SUBJECT,
    TRUST,
    changed,
    refused,
    trust_in,
    verify,
)


@EACH_KIND
def test_a_signature_by_a_trusted_key_is_verified(key: PrivateKey) -> None:
    verification = verify(sign_statement(key, SUBJECT))
    assert verification.result is VerificationResult.VERIFIED
    assert verification.key_id == key_id_of(key.public_key())


def test_ed25519_signs_the_same_statement_to_the_same_bytes() -> None:
    assert sign_statement(ED25519, SUBJECT) == GOOD


@pytest.mark.parametrize("envelope", [None, b""])
def test_a_missing_signature_is_told_apart(envelope: bytes | None) -> None:
    assert verify(envelope).result is VerificationResult.NOT_SIGNED


@EACH_KIND
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("content_hash", ContentHash("sha256:" + "cd" * 32)),
        ("publisher", "umbrella"),
        ("name", "other"),
        ("version", "1.2.4"),
        ("runtime", "wasm-js@2"),
    ],
)
def test_a_signature_for_something_else_fails(key: PrivateKey, field: str, value: str) -> None:
    changes: dict[str, Any] = {field: value}
    subject = replace(SUBJECT, **changes)
    verification = verify(sign_statement(key, SUBJECT), subject=subject)
    assert verification.result is VerificationResult.FAILED
    assert "is for another" in verification.detail
    assert field.replace("_", " ") in verification.detail


def test_a_strangers_key_fails() -> None:
    refused(sign_statement(STRANGER, SUBJECT), "None of the signatures")


def test_claiming_a_trusted_keys_id_does_not_help_a_stranger() -> None:
    def claim(document: Any) -> None:
        document["signatures"][0]["keyid"] = TRUST.entries[0].key_id

    refused(changed(sign_statement(STRANGER, SUBJECT), claim), "None of the signatures")


@pytest.mark.parametrize("keyid", ["", "nonsense", TRUST.entries[1].key_id])
def test_the_claimed_key_id_is_only_a_hint(keyid: str) -> None:
    def claim(document: Any) -> None:
        document["signatures"][0]["keyid"] = keyid

    assert verify(changed(GOOD, claim)).result is VerificationResult.VERIFIED


def test_a_key_of_another_publisher_fails() -> None:
    refused(GOOD, "may not sign for publisher 'acme'", trust=trust_in("publisher: umbrella"))
    verification = verify(GOOD, trust=trust_in("publisher: umbrella\npublisher: acme"))
    assert verification.result is VerificationResult.VERIFIED


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("not-after: 2026-05-31T00:00:00Z", "is not valid after"),
        ("not-before: 2026-06-02T00:00:00Z", "is not valid before"),
        ("revoked-at: 2026-05-31T00:00:00Z", "was revoked at"),
    ],
)
def test_a_key_out_of_its_time_fails(line: str, detail: str) -> None:
    refused(GOOD, detail, trust=trust_in(line))


def test_no_trusted_key_verifies_nothing() -> None:
    refused(GOOD, "None of the signatures", trust=TrustBundle())


def test_a_tampered_payload_fails() -> None:
    def tamper(document: Any) -> None:
        payload = base64.b64decode(document["payload"]).replace(b"1.2.3", b"6.6.6")
        document["payload"] = base64.b64encode(payload).decode()

    refused(
        changed(GOOD, tamper), "None of the signatures", subject=replace(SUBJECT, version="6.6.6")
    )


def test_another_payload_type_fails() -> None:
    refused(changed(GOOD, lambda d: d.update(payloadType="text/plain")), "payloadType")


def test_an_algorithm_in_the_envelope_means_nothing() -> None:
    def claim(document: Any) -> None:
        document["alg"] = document["signatures"][0]["alg"] = "none"
        document["signatures"][0]["scheme"] = "ecdsa-p256"

    assert verify(changed(GOOD, claim)).result is VerificationResult.VERIFIED
    refused(changed(sign_statement(STRANGER, SUBJECT), claim), "None of the signatures")


def with_signature(signature: bytes) -> bytes:
    return write_envelope(write_statement(SUBJECT), key_id="", signature=signature)


def test_a_signature_over_the_bare_payload_or_the_hash_fails() -> None:
    digest = bytes.fromhex("ab" * 32)
    for message in (write_statement(SUBJECT), digest, digest.hex().encode(), b""):
        refused(with_signature(ED25519_KEY.sign(message)), "None of the signatures")


def signature_of(envelope: bytes) -> bytes:
    return base64.b64decode(json.loads(envelope)["signatures"][0]["sig"])


ORDER_ED25519 = 2**252 + 27742317777372353535851937790883648493


def test_the_other_ed25519_form_of_a_signature_fails() -> None:
    """S + L solves the same equation; taking it would let anyone rewrite a signature."""
    signature = signature_of(GOOD)
    s = int.from_bytes(signature[32:], "little") + ORDER_ED25519
    refused(with_signature(signature[:32] + s.to_bytes(32, "little")), "None of the signatures")


def der_integer(value: int, *, padded: bool = False) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "big")
    raw = b"\0" + raw if padded else raw
    return b"\x02" + bytes([len(raw)]) + raw


def test_p256_signatures_are_taken_in_strict_der_only() -> None:
    signature = signature_of(sign_statement(P256, SUBJECT))
    r, s = decode_dss_signature(signature)
    strict = der_integer(r) + der_integer(s)
    assert b"\x30" + bytes([len(strict)]) + strict == signature
    padded = der_integer(r, padded=True) + der_integer(s)
    for wrong in (
        b"\x30" + bytes([len(padded)]) + padded,  # a leading zero too many
        b"\x30\x81" + bytes([len(strict)]) + strict,  # a long form of a short length
        signature + b"\0",
        r.to_bytes(32, "big") + s.to_bytes(32, "big"),  # the form of JWS
        b"\x30\x06\x02\x01\x00\x02\x01\x00",  # r = s = 0
        b"\x30\x06\x02\x01\x01\x02\x01\x01",
    ):
        refused(with_signature(wrong), "None of the signatures")
    assert verify(with_signature(signature)).result is VerificationResult.VERIFIED


@pytest.mark.parametrize(
    "padding",
    [PKCS1v15(), PSS(MGF1(SHA256()), 20), PSS(MGF1(SHA384()), 32)],
    ids=["pkcs1", "other-salt-length", "other-mask"],
)
def test_rsa_signatures_are_taken_with_one_padding_only(padding: Any) -> None:
    assert isinstance(RSA, RSAPrivateKey)
    message = pre_authentication_encoding(write_statement(SUBJECT))
    refused(with_signature(RSA.sign(message, padding, SHA256())), "None of the signatures")
    refused(with_signature(RSA.sign(message, PSS_PADDING, SHA384())), "None of the signatures")
    good = RSA.sign(message, PSS_PADDING, SHA256())
    assert verify(with_signature(good)).result is VerificationResult.VERIFIED


def signatures(count: int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        document["signatures"] *= count

    return change


def test_too_many_signatures_fail_and_eight_do_not() -> None:
    refused(changed(GOOD, signatures(9)), "more than 8 signatures")
    assert verify(changed(GOOD, signatures(8))).result is VerificationResult.VERIFIED


def test_one_good_signature_among_others_suffices() -> None:
    strange = json.loads(sign_statement(STRANGER, SUBJECT))["signatures"]

    def mix(document: Any) -> None:
        document["signatures"] = strange + document["signatures"]

    assert verify(changed(GOOD, mix)).result is VerificationResult.VERIFIED
