"""The signed form: a DSSE envelope over an in-toto statement that names one bundle.

The same bytes always come out for the same statement, so an Ed25519 signature is reproducible.
Reading here proves nothing: `shared.trust.verification` does, on the bytes that were signed.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.bundles.layout import BUNDLE_NAME
from shared.bundles.version_pattern import signed_for
from shared.identifiers import ContentHash
from shared.strict_json import JsonInvalidError, JsonValue, parse_json
from shared.trust.refusal import Refusal, SignatureFault

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://extension-host.dev/bundle/v1"
MAX_ENVELOPE_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 8
MAX_CHAIN: Final = 4
MAX_CERTIFICATE_BYTES: Final = 8 * 1024
_MAX_SIGNATURE_BYTES: Final = 1024
_MAX_KEY_ID_LENGTH: Final = 256


class EnvelopeInvalidError(ValueError):
    """The bytes are not an envelope, or its payload is not our statement. Stays in this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedSubject:
    """What a signature is about: one bundle, as one version of one extension."""

    content_hash: ContentHash
    publisher: str
    name: str
    version: str
    runtime: str


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """One signature; `key_id` is the signer's claim, good for finding its key sooner.

    `chain` holds certificates in DER, the signer's first: our own field `x509` beside DSSE's.
    """

    key_id: str
    signature: bytes
    chain: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was signed, and by whom it claims to be."""

    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]


def pre_authentication_encoding(payload: bytes) -> bytes:
    """DSSE's PAE: the bytes that are signed, in which type and payload cannot be shifted."""
    kind = PAYLOAD_TYPE.encode("ascii")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def write_statement(subject: SignedSubject) -> bytes:
    """The in-toto statement of `subject`, as canonical JSON."""
    return _canonical_json(_statement(subject))


def write_envelope(
    payload: bytes, *, key_id: str, signature: bytes, chain: Sequence[bytes] = ()
) -> bytes:
    """An envelope with one signature, as canonical JSON. `chain`: see `EnvelopeSignature`."""
    signed: dict[str, JsonValue] = {"keyid": key_id, "sig": _text_of(signature)}
    if chain:
        signed["x509"] = [_text_of(der) for der in chain]
    return _canonical_json(
        {"payload": _text_of(payload), "payloadType": PAYLOAD_TYPE, "signatures": [signed]}
    )


def read_envelope(data: bytes) -> Envelope:
    """Reads an envelope. Fields that DSSE does not know, such as an algorithm, mean nothing.

    Raises:
        EnvelopeInvalidError: it is none, or over a limit.
    """
    document = _object(data, MAX_ENVELOPE_BYTES, "The envelope")
    if document.get("payloadType") != PAYLOAD_TYPE:
        raise EnvelopeInvalidError(f"The envelope's payloadType is not {PAYLOAD_TYPE}.")
    listed = document.get("signatures")
    if not isinstance(listed, list) or not listed:
        raise EnvelopeInvalidError("The envelope has no list of signatures.")
    if len(listed) > MAX_SIGNATURES:
        raise EnvelopeInvalidError(f"The envelope has more than {MAX_SIGNATURES} signatures.")
    payload = _base64(document.get("payload"), "payload")
    return Envelope(payload, tuple(_signature(item) for item in listed))


def statement_fault(payload: bytes, subject: SignedSubject) -> Refusal | None:
    """Why a payload, whose signature holds, does not speak of `subject`; None if it does."""
    fault = SignatureFault.STATEMENT
    try:
        statement = _object(payload, MAX_ENVELOPE_BYTES, "The statement")
    except EnvelopeInvalidError as error:
        return Refusal(fault, str(error))
    for name, wanted in _statement(subject).items():
        given = statement.get(name)
        if name == "predicate" and isinstance(given, dict) and isinstance(wanted, dict):
            for part, value in wanted.items():
                said = given.get(part)
                if said != value and not (part == "version" and _covers(said, value)):
                    return Refusal(fault, f"The signature is for another {part}, not {value!a}.")
        elif name == "subject" and given != wanted:
            return Refusal(
                SignatureFault.CONTENT_HASH,
                "The signature is for another content hash than the bundle's.",
            )
        elif given != wanted:
            return Refusal(fault, f"The statement's {name} is not what this platform signs.")
    return None


def _covers(said: JsonValue, version: JsonValue) -> bool:
    """Whether a statement for `1.2.*` was signed, and the version is what became of it."""
    return isinstance(said, str) and isinstance(version, str) and signed_for(said, version)


def _statement(subject: SignedSubject) -> dict[str, JsonValue]:
    return {
        "_type": STATEMENT_TYPE,
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "publisher": subject.publisher,
            "name": subject.name,
            "version": subject.version,
            "runtime": subject.runtime,
        },
        "subject": [
            {
                "name": BUNDLE_NAME,
                "digest": {"sha256": subject.content_hash.removeprefix("sha256:")},
            }
        ],
    }


def _canonical_json(value: JsonValue) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _object(data: bytes, max_bytes: int, what: str) -> dict[str, JsonValue]:
    try:
        document = parse_json(data, max_bytes=max_bytes)
    except JsonInvalidError as error:
        raise EnvelopeInvalidError(f"{what} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise EnvelopeInvalidError(f"{what} is not a JSON object.")
    return document


def _signature(item: JsonValue) -> EnvelopeSignature:
    fields = item if isinstance(item, dict) else {}
    key_id = fields.get("keyid", "")
    signature = _base64(fields.get("sig"), "sig")
    if not isinstance(key_id, str) or len(key_id) > _MAX_KEY_ID_LENGTH:
        raise EnvelopeInvalidError("A signature's keyid is not a short string.")
    if not 0 < len(signature) <= _MAX_SIGNATURE_BYTES:
        raise EnvelopeInvalidError(f"A signature is not 1 to {_MAX_SIGNATURE_BYTES} bytes.")
    return EnvelopeSignature(key_id, signature, _chain(fields["x509"]) if "x509" in fields else ())


def _chain(listed: JsonValue) -> tuple[bytes, ...]:
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_CHAIN:
        raise EnvelopeInvalidError(f"A signature's x509 is not 1 to {MAX_CHAIN} certificates.")
    chain = tuple(_base64(item, "x509") for item in listed)
    if not all(0 < len(der) <= MAX_CERTIFICATE_BYTES for der in chain):
        raise EnvelopeInvalidError(f"A certificate is not 1 to {MAX_CERTIFICATE_BYTES} bytes.")
    return chain


def _text_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _base64(value: JsonValue, what: str) -> bytes:
    try:
        if isinstance(value, str):
            decoded = base64.b64decode(value, validate=True)
            if base64.b64encode(decoded).decode("ascii") == value:  # no stray bits, no newlines
                return decoded
    except (binascii.Error, ValueError):
        pass
    raise EnvelopeInvalidError(f"The envelope's {what} is not base64.")
