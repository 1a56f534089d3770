"""What must not be published: found where it is, and not where it only might be."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from shared.bundles.secret_scan import embedded_secrets

KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE_KEYS = {
    "pkcs8": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "sec1": KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    "encrypted": KEY.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    ),
    "legacy-encrypted": KEY.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")
    ),
    "openssh": ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    ),
}
TOKENS = {
    "AWS access key id": b"AKIA" + b"Q" * 16,
    "GitHub token": b"ghp_" + b"a1" * 18,
    "Slack token": b"xoxb-" + b"1" * 10 + b"-" + b"a" * 12,
    "Stripe key": b"sk_" + b"live_" + b"a1" * 12,
}


def kinds(content: bytes) -> list[str]:
    return [secret.kind for secret in embedded_secrets({"dist/main.wasm": content})]


@pytest.mark.parametrize("kind", PRIVATE_KEYS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\\n"])
def test_a_private_key_is_found_whatever_surrounds_it(kind: str, line_end: bytes) -> None:
    key = PRIVATE_KEYS[kind].replace(b"\n", line_end)
    [secret] = embedded_secrets({"a": b"nothing", "b": b'\0asm const k = "' + key + b'";'})
    assert (secret.path, secret.kind, secret.offset) == ("b", "private key", 16)
    assert secret.is_certain


@pytest.mark.parametrize("kind", TOKENS)
def test_what_looks_like_a_token_is_found_but_not_certain(kind: str) -> None:
    [secret] = embedded_secrets({"ui/app.js": b"x=" + TOKENS[kind] + b"\n"})
    assert (secret.kind, secret.offset, secret.is_certain) == (kind, 2, False)


@pytest.mark.parametrize(
    "harmless",
    [
        b"if (pem.startsWith('-----BEGIN PRIVATE KEY-----')) { throw new Error('no'); }",
        b"-----BEGIN PRIVATE KEY-----\\n${base64}\\n-----END PRIVATE KEY-----",
        b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 64,
        b"-----BEGIN CERTIFICATE-----\n" + b"A" * 64,
        b"AKIA",
        b"AKIA" + b"Q" * 20,
        b"sk_test_" + b"a" * 24,
        b"",
    ],
)
def test_what_only_speaks_of_secrets_is_left_alone(harmless: bytes) -> None:
    assert kinds(harmless) == []


def test_a_secret_is_told_once_for_a_file_and_never_repeated() -> None:
    token = TOKENS["GitHub token"]
    found = embedded_secrets({"a": token + b" " + token, "b": token})
    assert [(secret.path, secret.offset) for secret in found] == [("a", 0), ("b", 0)]
    assert token.decode() not in repr(found)


@pytest.mark.parametrize(
    "beginning", [b"-----BEGIN ", b"AKIA", b"A", b"-", b"-----BEGIN PRIVATE KEY-----\n"]
)
def test_a_file_of_nothing_but_beginnings_takes_no_long_time(beginning: bytes) -> None:
    content = beginning * (8 * 1024 * 1024 // len(beginning))
    started = time.perf_counter()
    assert kinds(content) == []
    assert time.perf_counter() - started < 5
