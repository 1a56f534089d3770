"""Envelopes and statements that are broken, and how another implementation sees ours."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as ReferenceEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined]
    CryptoSigner,
    SSlibKey,
)

from shared.trust.envelope import (
    PAYLOAD_TYPE,
    pre_authentication_encoding,
    write_envelope,
    write_statement,
)
from shared.trust.keys import PrivateKey, sign_statement
from shared.trust.public_key import key_id_of
from shared.trust.verification import (
    VerificationResult,
)
from tests.unit.shared.trust.signing import (
    EACH_KIND,
    ED25519_KEY,
    GOOD,
    STRANGER,
    SUBJECT,
    changed,
    refused,
    verify,
)

BROKEN: dict[str, Callable[[Any], Any]] = {
    "no-signatures": lambda d: d.update(signatures=[]),
    "signatures-missing": lambda d: d.pop("signatures") and None,
    "signatures-not-a-list": lambda d: d.update(signatures={"0": 1}),
    "signature-not-an-object": lambda d: d.update(signatures=["x"]),
    "empty-signature": lambda d: d["signatures"][0].update(sig=""),
    "signature-not-text": lambda d: d["signatures"][0].update(sig=7),
    "huge-signature": lambda d: d["signatures"][0].update(sig="A" * 2000),
    "keyid-not-text": lambda d: d["signatures"][0].update(keyid=7),
    "keyid-huge": lambda d: d["signatures"][0].update(keyid="x" * 257),
    "payload-missing": lambda d: d.pop("payload") and None,
    "payload-url-safe": lambda d: d.update(payload="_-__"),
    "payload-without-padding": lambda d: d.update(payload="YQ"),
    "payload-with-stray-bits": lambda d: d.update(payload="YR=="),
    "payload-with-newline": lambda d: d.update(payload="YQ==\n"),
    "payload-not-ascii": lambda d: d.update(payload="é"),
    "x509-not-a-list": lambda d: d["signatures"][0].update(x509="AAAA"),
    "x509-empty": lambda d: d["signatures"][0].update(x509=[]),
    "x509-null": lambda d: d["signatures"][0].update(x509=None),
    "x509-empty-certificate": lambda d: d["signatures"][0].update(x509=[""]),
    "x509-not-text": lambda d: d["signatures"][0].update(x509=[7]),
    "x509-not-base64": lambda d: d["signatures"][0].update(x509=["%"]),
    "x509-too-many": lambda d: d["signatures"][0].update(x509=["AAAA"] * 5),
    "x509-too-large": lambda d: d["signatures"][0].update(x509=["AAAA" * 2731]),
    "too-large": lambda d: d.update(more="x" * 64 * 1024),
    "array": lambda d: [d],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_envelope_fails_with_a_sentence(name: str) -> None:
    verification = verify(changed(GOOD, BROKEN[name]))
    assert verification.result is VerificationResult.FAILED
    assert verification.detail.endswith(".")


SIGNED_NONSENSE: dict[str, Callable[[Any], Any]] = {
    "other-statement-type": lambda d: d.update(_type="https://in-toto.io/Statement/v0.1"),
    "other-predicate-type": lambda d: d.update(predicateType="https://slsa.dev/provenance/v1"),
    "no-subject": lambda d: d.update(subject=[]),
    "two-subjects": lambda d: d.update(subject=d["subject"] * 2),
    "other-file": lambda d: d["subject"][0].update(name="other.tar.zst"),
    "upper-case-hash": lambda d: d["subject"][0]["digest"].update(sha256="AB" * 32),
    "second-digest": lambda d: d["subject"][0]["digest"].update(md5="x"),
    "predicate-missing": lambda d: d.pop("predicate") and None,
    "predicate-is-a-list": lambda d: d.update(predicate=[]),
    "version-missing": lambda d: d["predicate"].pop("version") and None,
    "version-is-a-number": lambda d: d["predicate"].update(version=1),
}


@pytest.mark.parametrize("name", SIGNED_NONSENSE)
def test_a_trusted_key_over_another_statement_fails(name: str) -> None:
    payload = changed(write_statement(SUBJECT), SIGNED_NONSENSE[name])
    signature = ED25519_KEY.sign(pre_authentication_encoding(payload))
    refused(write_envelope(payload, key_id="", signature=signature), "")


def test_a_statement_with_a_key_given_twice_fails() -> None:
    payload = write_statement(SUBJECT).replace(b'"version"', b'"version":"0.0.1","version"')
    signature = ED25519_KEY.sign(pre_authentication_encoding(payload))
    refused(write_envelope(payload, key_id="", signature=signature), "given twice")


@given(data=st.binary(min_size=1, max_size=200))
def test_noise_never_raises(data: bytes) -> None:
    assert verify(data).result is VerificationResult.FAILED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(["payload", "payloadType", "signatures", "keyid", "sig"])


@given(data=st.data())
def test_no_envelope_of_any_shape_raises_or_is_believed(data: st.DataObject) -> None:
    """Each field of a good envelope is replaced by any JSON; without a fault it is unchanged."""
    document = json.loads(GOOD)
    name, value = data.draw(FIELDS), data.draw(JSON)
    holder = document if name in document else document["signatures"][0]
    unread = name == "keyid" and isinstance(value, str)  # a hint
    same = holder.get(name) == value
    holder[name] = value
    verified = verify(json.dumps(document).encode()).result is VerificationResult.VERIFIED
    assert verified == (unread or same)


@given(position=st.integers(0, len(GOOD) - 1), value=st.integers(0, 255))
def test_no_changed_byte_makes_it_speak_of_something_else(position: int, value: int) -> None:
    data = bytearray(GOOD)
    data[position] = value
    other = replace(SUBJECT, version="1.2.4")
    assert verify(bytes(data), subject=other).result is VerificationResult.FAILED


@EACH_KIND
def test_securesystemslib_verifies_what_we_sign(key: PrivateKey) -> None:
    envelope = ReferenceEnvelope.from_dict(json.loads(sign_statement(key, SUBJECT)))
    assert envelope.payload_type == PAYLOAD_TYPE
    key_id = key_id_of(key.public_key())
    trusted = SSlibKey.from_crypto(key.public_key(), keyid=key_id)
    stranger = SSlibKey.from_crypto(STRANGER.public_key(), keyid=key_id)
    assert list(envelope.verify([trusted], 1)) == [key_id]
    with pytest.raises(VerificationError):
        envelope.verify([stranger], 1)


@EACH_KIND
def test_we_verify_what_securesystemslib_signs(key: PrivateKey) -> None:
    envelope = ReferenceEnvelope(write_statement(SUBJECT), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key))
    data = json.dumps(envelope.to_dict()).encode()
    assert verify(data).result is VerificationResult.VERIFIED
    refused(data, "another version", subject=replace(SUBJECT, version="9.9.9"))
