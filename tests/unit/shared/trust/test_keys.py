"""Signing keys on the disk: private, never overwritten, and read with a reason for each refusal."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from shared.errors import ArgumentInvalidError, SigningKeyInvalidError
from shared.trust.keys import (
    generate_key,
    private_pem,
    public_pem,
    read_private_key,
    write_private_key,
)
from shared.trust.public_key import Algorithm
from shared.trust.trust_bundle import TrustBundle


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_is_written_for_its_owner_only_and_read_back(
    tmp_path: Path, algorithm: Algorithm
) -> None:
    key = generate_key(algorithm)
    write_private_key(tmp_path / "key.pem", key)
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert private_pem(read_private_key(tmp_path / "key.pem")) == private_pem(key)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    write_private_key(tmp_path / "key.pem", generate_key())
    before = (tmp_path / "key.pem").read_bytes()
    with pytest.raises(SigningKeyInvalidError, match="never overwritten"):
        write_private_key(tmp_path / "key.pem", generate_key())
    (tmp_path / "link.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(SigningKeyInvalidError):
        write_private_key(tmp_path / "link.pem", generate_key())
    assert (tmp_path / "key.pem").read_bytes() == before
    assert not (tmp_path / "elsewhere.pem").exists()


def test_the_public_half_is_an_entry_of_a_trust_bundle() -> None:
    (entry,) = TrustBundle.from_pem(public_pem(generate_key(), publishers=["acme", "b"])).entries
    assert entry.publishers == {"acme", "b"}
    with pytest.raises(ArgumentInvalidError):
        public_pem(generate_key(), publishers=["acme\n-----BEGIN"])


RSA = rsa.generate_private_key(65537, 2048)
REFUSED = {
    "empty": (b"", "no private key"),
    "public": (public_pem(generate_key()), "no private key"),
    "noise": (b"\xff" * 100, "no private key"),
    "encrypted": (
        generate_key().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
        ),
        "is encrypted",
    ),
    "rsa-2048": (
        RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "RSA with 2048 bits",
    ),
    "p-384": (
        ec.generate_private_key(ec.SECP384R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        "neither an Ed25519 nor a P-256",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_signing_key_is_refused_for_its_own_reason(tmp_path: Path, name: str) -> None:
    data, reason = REFUSED[name]
    path = tmp_path / "key.pem"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(SigningKeyInvalidError, match=reason):
        read_private_key(path)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    write_private_key(tmp_path / "key.pem", generate_key())
    (tmp_path / "key.pem").chmod(0o640)
    with pytest.raises(SigningKeyInvalidError, match="chmod 600"):
        read_private_key(tmp_path / "key.pem")


def test_a_missing_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(SigningKeyInvalidError, match="cannot be read"):
        read_private_key(tmp_path / "key.pem")
