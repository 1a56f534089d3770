"""The trust bundle: read strictly, restricted as written, and closed when in doubt."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import ManualClock
from shared.errors import TrustBundleInvalidError
from shared.trust.keys import generate_key, private_pem, public_pem
from shared.trust.public_key import Algorithm
from shared.trust.refusal import Refusal, SignatureFault
from shared.trust.trust_bundle import TrustBundle
from shared.trust.trust_bundle_file import TrustBundleFile
from shared.trust.trust_entry import RevokedCertificate, TrustedKey, TrustedRoot
from tests.fixtures.certificates import issued, root

ED25519_KEY = generate_key(Algorithm.ED25519)
P256_KEY = generate_key(Algorithm.ECDSA_P256)
ED25519 = public_pem(ED25519_KEY).decode()
P256 = public_pem(P256_KEY).decode()
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def read(text: str) -> TrustBundle:
    return TrustBundle.from_pem(text.encode())


def spki(key: object) -> str:
    public = key.public_key()  # type: ignore[attr-defined]
    return str(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def test_both_kinds_of_key_are_read_in_order() -> None:
    bundle = read(ED25519 + "\n# the second\n" + P256)
    assert [key.algorithm for key in bundle.keys] == ["ed25519", "ecdsa-p256"]
    assert all(len(entry.key_id) == 64 for entry in bundle.entries)
    assert all(entry.refusal(publisher="anyone", now=NOW) is None for entry in bundle.entries)


def test_the_lines_before_a_key_restrict_that_key_only() -> None:
    first, second = read(
        "publisher: acme\npublisher: umbrella\nnot-before: 2026-01-01T00:00:00Z\n\n"
        "not-after: 2026-12-31T23:59:59+01:00\n" + ED25519 + "a line of text\n" + P256
    ).entries
    assert first.publishers == {"acme", "umbrella"}
    assert first.not_before == datetime(2026, 1, 1, tzinfo=UTC)
    assert first.refusal(publisher="acme", now=NOW) is None
    refusal = first.refusal(publisher="evil", now=NOW)
    assert refusal == Refusal(SignatureFault.PUBLISHER, "may not sign for publisher 'evil'")
    assert "not valid before" in str(
        first.refusal(publisher="acme", now=datetime(2025, 12, 31, tzinfo=UTC))
    )
    assert "not valid after" in str(
        first.refusal(publisher="acme", now=datetime(2026, 12, 31, 23, tzinfo=UTC))
    )
    assert second.publishers == frozenset()


def test_a_revoked_key_vouches_for_nothing_from_then_on() -> None:
    (entry,) = read("revoked-at: 2026-06-01T00:00:00Z\n" + ED25519).entries
    assert entry.refusal(publisher="acme", now=datetime(2026, 5, 31, tzinfo=UTC)) is None
    assert "was revoked" in str(entry.refusal(publisher="acme", now=NOW))


def test_keys_roots_and_revoked_signers_stand_side_by_side() -> None:
    authority = root()
    signer = authority.issue("Signer", publisher="acme")
    bundle = read(
        f"publisher: acme\n{authority.pem}{ED25519}revoked-at: 2026-01-01T00:00:00Z\n{signer.pem}"
    )
    assert [type(entry) for entry in bundle.entries] == [
        TrustedRoot,
        TrustedKey,
        RevokedCertificate,
    ]
    (trusted,) = bundle.roots
    assert trusted.publishers == {"acme"}
    assert trusted.certificate.subject == "CN=Root"


BAD_LINES = [
    "publishers: acme",
    "publisher: Acme",
    "publisher: acme umbrella",
    "publisher:",
    "publisher acme",
    "Publisher: acme",
    "publisher = acme",
    "not-after: tomorrow",
    "not-after: 2026-13-01T00:00:00Z",
    "not-after: 2026-12-31",
    "not-after: 2026-12-31T00:00:00",
    "not after: 2026-12-31T00:00:00Z",
    "expires: 2026-12-31T00:00:00Z",
    "valid until 2026",
    "max-version: 3",
    "not-after: 2026-01-01T00:00:00Z\nnot-after: 2027-01-01T00:00:00Z",
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_that_looks_like_a_restriction_but_is_none_refuses_the_file(line: str) -> None:
    with pytest.raises(TrustBundleInvalidError, match="Line"):
        read(f"{line}\n{ED25519}")


def test_a_restriction_behind_the_last_key_refuses_the_file() -> None:
    with pytest.raises(TrustBundleInvalidError, match="put it before the block"):
        read(ED25519 + "publisher: acme\n")


def raw_ed25519(point: bytes) -> str:
    der = bytes.fromhex("302a300506032b6570032100") + point
    body = base64.b64encode(der).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


ROOT = root()
PEM_OF_NOISE = "-----BEGIN CERTIFICATE-----\nMIIBaaaa\n-----END CERTIFICATE-----\n"
BODY = ED25519.splitlines()[1]
ENCRYPTED = ED25519_KEY.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
).decode()
REFUSED = {
    "empty": ("", "no public key"),
    "only-comments": ("# nothing\n", "no public key"),
    "not-utf-8": ("\udcff", "not UTF-8"),
    "too-large": ("#" * 1024 * 1024 + "\n", "larger than"),
    "private-key": (private_pem(ED25519_KEY).decode(), "private key; keep it secret"),
    "private-key-among-others": (
        ED25519 + private_pem(P256_KEY).decode(),
        "private key; keep it secret",
    ),
    "encrypted-private-key": (ENCRYPTED, "private key; keep it secret"),
    "certificate": (
        issued("Signer", by=ROOT, publisher="acme").pem,
        "a signer's, not an authority's",
    ),
    "unknown-label": (
        ED25519.replace("PUBLIC KEY", "PGP MESSAGE"),
        "PGP MESSAGE block does not belong",
    ),
    "rsa-label": (ED25519.replace("PUBLIC", "RSA PUBLIC"), "RSA PUBLIC KEY block"),
    "no-end": (ED25519.replace("-----END PUBLIC KEY-----", ""), "does not end"),
    "no-begin": (ED25519.replace("-----BEGIN PUBLIC KEY-----", ""), "border of a block"),
    "other-end": (ED25519.replace("END PUBLIC", "END PRIVATE"), "must end first"),
    "begin-in-a-block": (ED25519.replace(BODY, BODY + "\n" + ED25519), "must end first"),
    "four-dashes": (ED25519.replace("-----BEGIN", "----BEGIN"), "border of a block"),
    "six-dashes": (ED25519.replace("-----BEGIN", "------BEGIN"), "border of a block"),
    "empty-block": (ED25519.replace(BODY + "\n", ""), "not lines of base64"),
    "not-base64": (ED25519.replace(BODY, "%" + BODY[1:]), "not lines of base64"),
    "header-in-a-block": (ED25519.replace(BODY, "Proc-Type: 4\n" + BODY), "not lines of base64"),
    "cut-base64": (ED25519.replace(BODY, BODY[:-1]), "not base64"),
    "cut-key": (ED25519.replace(BODY, BODY[:-4]), "damaged"),
    "key-with-more-behind-it": (raw_ed25519(b"\x02" + bytes(31) + b"\0"), "damaged|one DER form"),
    "twice": (ED25519 + ED25519, "in the file already"),
    "twice-with-other-restrictions": (
        "publisher: acme\n" + ED25519 + ED25519,
        "in the file already",
    ),
    "rsa-exponent-3": (spki(rsa.generate_private_key(3, 3072)), "exponent than 65537"),
    "root-without-ca-flag": (issued("R", by=None, basic_constraints=False).pem, "a signer's"),
    "root-that-may-not-sign-certificates": (
        root(uses={"key_cert_sign": False, "crl_sign": True}).pem,
        "no keyCertSign",
    ),
    "root-rsa-2048": (root(key=rsa.generate_private_key(65537, 2048)).pem, "RSA with 2048 bits"),
    "root-ed25519": (root(key=ed25519.Ed25519PrivateKey.generate()).pem, "Edwards-curve key"),
    "root-twice": (ROOT.pem + ED25519 + ROOT.pem, "Line [0-9]+ .* in the file already"),
    "cut-certificate": (PEM_OF_NOISE, "certificate is damaged"),
    "revoked-certificate-with-more": (
        "revoked-at: 2026-01-01T00:00:00Z\npublisher: acme\n" + issued("S", by=ROOT).pem,
        "revoked-at and nothing else",
    ),
    "rsa-2048": (spki(rsa.generate_private_key(65537, 2048)), "RSA with 2048 bits"),
    "p-384": (spki(ec.generate_private_key(ec.SECP384R1())), "neither Ed25519 nor"),
    "secp256k1": (spki(ec.generate_private_key(ec.SECP256K1())), "neither Ed25519 nor"),
    "x25519": (spki(x25519.X25519PrivateKey.generate()), "neither Ed25519 nor"),
    "ed448": (spki(ed448.Ed448PrivateKey.generate()), "neither Ed25519 nor"),
    "dsa": (spki(dsa.generate_private_key(2048)), "neither Ed25519 nor"),
    "carriage-returns-only": (ED25519.replace("\n", "\r"), "border of a block"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_not_wholly_understood_is_refused(name: str) -> None:
    text, reason = REFUSED[name]
    with pytest.raises(TrustBundleInvalidError, match=reason) as caught:
        TrustBundle.from_pem(text.encode("utf-8", "surrogateescape"))
    assert private_pem(ED25519_KEY).decode().splitlines()[1] not in str(caught.value)


def test_windows_line_ends_and_wide_base64_are_fine() -> None:
    assert read(ED25519.replace("\n", "\r\n")).entries == read(ED25519).entries


P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The group law of edwards25519."""
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def small_order_points() -> set[Point]:
    """All eight points P with 8P = 0, from any point whose order has the factor 8."""
    order = 2**252 + 27742317777372353535851937790883648493
    for y in range(2, 100):
        u, v = (y * y - 1) % P, (D * y * y + 1) % P
        square = u * pow(v, -1, P) % P
        x = pow(square, (P + 3) // 8, P)
        if x * x % P != square:
            x = x * pow(2, (P - 1) // 4, P) % P
        if x * x % P != square:
            continue
        multiple: Point = (0, 1)
        base = (x, y)
        for bit in f"{order:b}":
            multiple = add(multiple, multiple)
            if bit == "1":
                multiple = add(multiple, base)
        found = [(0, 1)]
        while (following := add(found[-1], multiple)) != (0, 1):
            found.append(following)
        if len(found) == 8:
            return set(found)
    raise AssertionError("no generator of the torsion group was found")


def test_keys_with_which_anybody_can_sign_are_refused() -> None:
    points = small_order_points()
    assert len(points) == 8
    for x, y in points:
        encoded = (y | (x & 1) << 255).to_bytes(32, "little")
        with pytest.raises(TrustBundleInvalidError, match=r"weak|damaged"):
            read(raw_ed25519(encoded))
    for y in (P, P + 1, 2**255 - 1):
        for sign in (0, 1):
            with pytest.raises(TrustBundleInvalidError, match=r"weak|damaged"):
                read(raw_ed25519((y | sign << 255).to_bytes(32, "little")))


@given(noise=st.text(max_size=300))
def test_noise_before_a_key_raises_nothing_else(noise: str) -> None:
    try:
        entries = read(noise + "\n" + ED25519).entries
    except (TrustBundleInvalidError, UnicodeEncodeError):
        return
    assert len(entries) == 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "trust.pem").write_text(ED25519)
    return tmp_path / "trust.pem"


def algorithms(file: TrustBundleFile) -> list[str]:
    return [key.algorithm for key in file.current().keys]


def test_a_changed_file_counts_within_ten_seconds(path: Path) -> None:
    clock = ManualClock(NOW)
    file = TrustBundleFile(path=path, clock=clock)
    before = file.current()
    path.write_text(P256)
    clock.advance(4)
    assert file.current() is before
    clock.advance(2)
    assert algorithms(file) == ["ecdsa-p256"]
    assert file.last_error is None


def test_a_broken_file_keeps_the_last_good_one_and_says_so(path: Path) -> None:
    clock = ManualClock(NOW)
    file = TrustBundleFile(path=path, clock=clock)
    path.write_text("publishers: acme\n" + P256)
    clock.advance(6)
    assert algorithms(file) == ["ed25519"]
    assert "Line 2" in str(file.last_error)
    path.unlink()
    clock.advance(6)
    assert algorithms(file) == ["ed25519"]
    assert "cannot be read" in str(file.last_error)
    path.write_text(ED25519 + P256)
    clock.advance(6)
    assert algorithms(file) == ["ed25519", "ecdsa-p256"]
    assert file.last_error is None


def test_a_file_that_is_bad_at_the_start_is_refused(path: Path, tmp_path: Path) -> None:
    path.write_text("")
    for bad in (path, tmp_path / "missing.pem", tmp_path):
        with pytest.raises(TrustBundleInvalidError):
            TrustBundleFile(path=bad, clock=ManualClock(NOW))


def test_an_entry_keeps_its_key_out_of_its_repr() -> None:
    (entry,) = read(ED25519).keys
    assert "object at" not in repr(entry)
    assert isinstance(entry.key, ed25519.Ed25519PublicKey)
