"""Certificate chains: one way to be trusted, and a sentence for every way not to be."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from shared.trust.certificate import Certificate, CertificateInvalidError
from shared.trust.keys import generate_key, public_pem
from shared.trust.public_key import Algorithm
from shared.trust.refusal import SignatureFault
from shared.trust.trust_bundle import TrustBundle
from shared.trust.verification import (
    SignatureVerification,
    VerificationResult,
    verify_signature,
)
from tests.fixtures.certificates import CODE_SIGNING, ISSUED_AT, Party, issued, new_key, root
from tests.unit.shared.trust.signing import NOW, SUBJECT

RSA_3072 = rsa.generate_private_key(65537, 3072)
ROOT = root()
INTERMEDIATE = ROOT.issue("Issuing", ca=True, path_length=0)
SIGNER = INTERMEDIATE.issue("Signer", publisher="acme")
PSS_32 = PSS(MGF1(SHA256()), 32)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")


def trusting(*parties: Party, lines: str = "") -> TrustBundle:
    return TrustBundle.from_pem("".join(f"{lines}\n{each.pem}" for each in parties).encode())


TRUST = trusting(ROOT)


def verify(
    envelope: bytes,
    *,
    trust: TrustBundle = TRUST,
    now: datetime = NOW,
    seen_at: datetime | None = None,
) -> SignatureVerification:
    return verify_signature(envelope, trust=trust, subject=SUBJECT, now=now, seen_at=seen_at)


def refused(
    verification: SignatureVerification, fault: SignatureFault, detail: str
) -> SignatureVerification:
    assert verification.result is VerificationResult.FAILED
    assert (verification.fault, detail in verification.detail) == (fault, True), verification
    assert verification.key_id == ""
    return verification


@pytest.mark.parametrize(
    ("signer", "trust"),
    [
        pytest.param(SIGNER, TRUST, id="through an intermediate"),
        pytest.param(ROOT.issue("Signer", publisher="acme"), TRUST, id="by the root itself"),
        pytest.param(
            INTERMEDIATE.issue("Signer", publisher="acme", key=RSA_3072), TRUST, id="rsa-pss"
        ),
        pytest.param(SIGNER, trusting(INTERMEDIATE), id="an anchor that is no root"),
        pytest.param(
            ROOT.issue(
                "P-384", ca=True, key=ec.generate_private_key(ec.SECP384R1()), hash=SHA384()
            ).issue("Signer", publisher="acme", hash=SHA384()),
            TRUST,
            id="a stronger authority",
        ),
        pytest.param(
            ROOT.issue("1", ca=True).issue("2", ca=True).issue("3", ca=True).issue(
                "Signer", publisher="acme"
            ),
            TRUST,
            id="as many certificates as may be",
        ),
        pytest.param(
            ROOT.issue("Signer", publisher="acme", extensions=[(UNKNOWN, False)]),
            TRUST,
            id="an unknown extension that is not critical",
        ),
        pytest.param(
            ROOT.issue(
                "Named", ca=True,
                extensions=[(x509.NameConstraints([x509.DNSName("acme.example")], None), True)],
            ).issue("Signer", publisher="acme"),
            TRUST,
            id="name constraints that it keeps",
        ),
    ],
)  # fmt: skip
def test_a_chain_to_a_root_is_verified(signer: Party, trust: TrustBundle) -> None:
    verification = verify(signer.sign(SUBJECT), trust=trust)
    assert verification.result is VerificationResult.VERIFIED, verification.detail
    assert "(CN=Signer) under root" in verification.detail
    assert verification.key_id == Certificate.from_der(signer.der).key_id


def test_a_root_in_the_chain_counts_only_if_it_is_trusted() -> None:
    envelope = SIGNER.sign_anyhow(SUBJECT, chain=[*SIGNER.chain, ROOT.der])
    assert verify(envelope).result is VerificationResult.VERIFIED
    stranger = root()
    strange = stranger.issue("Signer", publisher="acme")
    refused(
        verify(strange.sign_anyhow(SUBJECT, chain=[strange.der, stranger.der])),
        SignatureFault.CHAIN,
        "The root (CN=Root) did not issue the chain's last one",
    )


def signed_by(**wishes: object) -> Callable[[], bytes]:
    """A signature by a signer of the good intermediate, but for these wishes."""
    return lambda: INTERMEDIATE.issue("Signer", **{"publisher": "acme"} | wishes).sign_anyhow(
        SUBJECT, pad=PSS_32
    )


def issued_by(**wishes: object) -> Callable[[], bytes]:
    """A signature by a good signer of an intermediate with these wishes."""
    return lambda: (
        ROOT.issue("Issuing", **{"ca": True} | wishes)
        .issue("Signer", publisher="acme")
        .sign_anyhow(SUBJECT)
    )


def constrained(**constraints: list[x509.GeneralName]) -> Callable[[], bytes]:
    wanted = {"permitted_subtrees": None, "excluded_subtrees": None} | constraints
    authority = ROOT.issue(
        "Issuing", ca=True, extensions=[(x509.NameConstraints(**wanted), True)]
    )  # fmt: skip
    names = [x509.DNSName("evil.example"), x509.UniformResourceIdentifier(PUBLISHER_ACME)]
    return lambda: authority.issue("Signer", names=names).sign_anyhow(SUBJECT)


def sha1_signed() -> bytes:
    """A certificate that really is signed with SHA-1: the library itself makes none any more."""
    authority = root("Old", key=RSA_3072)
    good = authority.issue("Signer", publisher="acme")
    sha256_rsa, sha1_rsa = (bytes.fromhex("06092a864886f70d0101" + end) for end in ("0b", "05"))
    certificate = good.certificate
    body = certificate.tbs_certificate_bytes.replace(sha256_rsa, sha1_rsa)
    der = (
        good.der.replace(certificate.tbs_certificate_bytes, body)
        .replace(sha256_rsa, sha1_rsa)
        .replace(certificate.signature, RSA_3072.sign(body, PKCS1v15(), SHA1()))  # noqa: S303 - it is what must be refused
    )
    assert isinstance(x509.load_der_x509_certificate(der).signature_hash_algorithm, SHA1)
    return good.sign_anyhow(SUBJECT, chain=[der])


def too_long() -> bytes:
    party = ROOT
    for number in range(4):
        party = party.issue(f"{number}", ca=True)
    return party.issue("Signer", publisher="acme").sign_anyhow(SUBJECT)


def huge() -> bytes:
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.6"), b"x" * 8192)
    return ROOT.issue("Signer", publisher="acme", extensions=[(padding, False)]).sign_anyhow(
        SUBJECT
    )


PUBLISHER_ACME = "extension-publisher:acme"
DAY = timedelta(days=1)
CHAIN = SignatureFault.CHAIN
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
REFUSED: dict[str, tuple[Callable[[], bytes], SignatureFault, str]] = {
    "expired": (
        signed_by(not_after=NOW - DAY), SignatureFault.VALIDITY,
        "Certificate 1 of the chain (CN=Signer) is not valid after 2026-05-31",
    ),
    "not-yet-valid": (
        signed_by(not_before=NOW + DAY), SignatureFault.VALIDITY, "is not valid before 2026-06-02"
    ),
    "expired-intermediate": (
        issued_by(not_after=NOW - DAY), SignatureFault.VALIDITY,
        "Certificate 2 of the chain (CN=Issuing) is not valid after",
    ),
    "other-purpose": (signed_by(purposes=[SERVER_AUTH]), CHAIN, "is not for code signing"),
    "any-purpose": (
        signed_by(purposes=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), CHAIN,
        "is not for code signing",
    ),
    "no-purpose": (signed_by(purposes=None), CHAIN, "is not for code signing"),
    "no-digital-signature": (
        signed_by(uses={"digital_signature": False, "key_agreement": True}), CHAIN,
        "no digitalSignature",
    ),
    "no-key-usage": (signed_by(usage=False), CHAIN, "no digitalSignature"),
    "authority-as-signer": (
        lambda: ROOT.issue(
            "Signer", publisher="acme", ca=True, purposes=[CODE_SIGNING],
            uses={"digital_signature": True},
        ).sign_anyhow(SUBJECT), CHAIN,
        "is a certificate authority, which signs certificates and no code",
    ),
    "root-as-signer": (lambda: ROOT.sign_anyhow(SUBJECT, chain=[ROOT.der]), CHAIN, "signs certif"),
    "issuer-without-ca-flag": (
        issued_by(ca=False, uses={"key_cert_sign": True}), CHAIN,
        "Certificate 2 of the chain (CN=Issuing) is no certificate authority",
    ),
    "issuer-without-basic-constraints": (
        issued_by(basic_constraints=False), CHAIN, "is no certificate authority"
    ),
    "issuer-may-not-sign-certificates": (
        issued_by(uses={"key_cert_sign": False, "crl_sign": True}), CHAIN, "no keyCertSign"
    ),
    "issuer-for-another-purpose": (
        issued_by(purposes=[SERVER_AUTH]), CHAIN, "may not issue certificates for code signing"
    ),
    "path-length": (
        lambda: INTERMEDIATE.issue("Deeper", ca=True).issue("Signer", publisher="acme")
        .sign_anyhow(SUBJECT), CHAIN, "Certificate 3 of the chain (CN=Issuing) allows 0",
    ),
    "name-not-permitted": (
        constrained(permitted_subtrees=[x509.DNSName("acme.example")]), CHAIN,
        "does not hold: validation failed: candidates exhausted: no permitted name constraints",
    ),
    "name-excluded": (
        constrained(excluded_subtrees=[x509.DNSName("evil.example")]), CHAIN, "does not hold",
    ),
    "name-constraints-that-nobody-can-check": (
        constrained(permitted_subtrees=[x509.UniformResourceIdentifier("acme.example")]), CHAIN,
        "unsupported name constraint",
    ),
    "sha-1": (sha1_signed, CHAIN, "another hash than SHA-256"),
    "unknown-critical-extension": (
        signed_by(extensions=[(UNKNOWN, True)]), CHAIN,
        "Certificate 1 of the chain has the critical extension 1.2.3.4.5, which is not understood",
    ),
    "unknown-critical-extension-above": (
        issued_by(extensions=[(UNKNOWN, True)]), CHAIN, "Certificate 2 of the chain has the crit"
    ),
    "self-signed": (
        lambda: issued("Signer", by=None, publisher="acme").sign_anyhow(SUBJECT), CHAIN,
        "leads to no root of the trust bundle; its last certificate was issued by (CN=Signer)",
    ),
    "other-root": (
        lambda: root("Other").issue("Signer", publisher="acme").sign_anyhow(SUBJECT), CHAIN,
        "leads to no root of the trust bundle; its last certificate was issued by (CN=Other)",
    ),
    "other-root-of-the-same-name": (
        lambda: root().issue("Signer", publisher="acme").sign_anyhow(SUBJECT), CHAIN,
        "The root (CN=Root) did not issue",
    ),
    "missing-intermediate": (
        lambda: SIGNER.sign_anyhow(SUBJECT, chain=[SIGNER.der]), CHAIN, "issued by (CN=Issuing)"
    ),
    "wrong-order": (
        lambda: SIGNER.sign_anyhow(SUBJECT, chain=[INTERMEDIATE.der, SIGNER.der]), CHAIN,
        "(CN=Issuing) was not issued by the next one (CN=Signer)",
    ),
    "other-intermediate": (
        lambda: SIGNER.sign_anyhow(
            SUBJECT, chain=[SIGNER.der, ROOT.issue("Issuing", ca=True).der]
        ), CHAIN, "was not issued by the next one",
    ),
    "other-publisher": (
        signed_by(publisher="umbrella"), SignatureFault.PUBLISHER, "names 'umbrella'; to sign for",
    ),
    "no-publisher": (signed_by(publisher=""), SignatureFault.PUBLISHER, "names 'no publisher'"),
    "publisher-as-a-host-name": (
        signed_by(names=[x509.DNSName("acme")]), SignatureFault.PUBLISHER, PUBLISHER_ACME
    ),
    "publisher-in-another-case": (
        signed_by(publisher="ACME"), SignatureFault.PUBLISHER, "names 'ACME'"
    ),
    "rsa-2048": (
        signed_by(key=rsa.generate_private_key(65537, 2048)), CHAIN, "RSA with 2048 bits"
    ),
    "rsa-exponent-3": (
        signed_by(key=rsa.generate_private_key(3, 3072)), CHAIN, "public exponent than 65537"
    ),
    "rsa-2048-above": (
        issued_by(key=rsa.generate_private_key(65537, 2048)), CHAIN, "Certificate 2 of the chain"
    ),
    "p-384-signer": (
        lambda: INTERMEDIATE.issue(
            "Signer", publisher="acme", key=ec.generate_private_key(ec.SECP384R1())
        ).sign_anyhow(SUBJECT), SignatureFault.CHAIN, "signs with neither ECDSA P-256 nor RSA",
    ),
    "ed25519": (
        signed_by(key=Ed25519PrivateKey.generate()), CHAIN,
        "an Edwards-curve key, which no certificate may have here: put an Ed25519 key into",
    ),
    "ed25519-above": (issued_by(key=Ed25519PrivateKey.generate()), CHAIN, "Edwards-curve key"),
    "too-long": (too_long, SignatureFault.ENVELOPE, "x509 is not 1 to 4 certificates"),
    "huge": (huge, SignatureFault.ENVELOPE, "not 1 to 8192 bytes"),
    "empty-chain-of-noise": (
        lambda: SIGNER.sign_anyhow(SUBJECT, chain=[b"noise"]), CHAIN,
        "Certificate 1 of the chain is damaged",
    ),
    "trailing-bytes": (
        lambda: SIGNER.sign_anyhow(SUBJECT, chain=[SIGNER.der + b"\0", INTERMEDIATE.der]), CHAIN,
        "Certificate 1 of the chain is damaged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_chain_with_a_fault_is_refused_for_that_fault(name: str) -> None:
    make, fault, detail = REFUSED[name]
    refused(verify(make(), trust=trusting(ROOT, root("Old", key=RSA_3072))), fault, detail)


@pytest.mark.parametrize(
    "padding",
    [PKCS1v15(), PSS(MGF1(SHA256()), 20), PSS(MGF1(SHA384()), 32)],
    ids=["pkcs1", "other salt length", "other mask"],
)
def test_rsa_signatures_have_one_padding(padding: object) -> None:
    signer = ROOT.issue("Signer", publisher="acme", key=RSA_3072)
    assert verify(signer.sign_anyhow(SUBJECT, pad=PSS_32)).result is VerificationResult.VERIFIED
    refused(
        verify(signer.sign_anyhow(SUBJECT, pad=padding)),
        SignatureFault.SIGNATURE,
        "was not made by the key of its certificate",
    )


def test_another_signers_certificate_does_not_help() -> None:
    stranger = root().issue("Signer", publisher="acme")
    refused(
        verify(stranger.sign_anyhow(SUBJECT, chain=SIGNER.chain)),
        SignatureFault.SIGNATURE,
        "was not made by the key of its certificate (CN=Signer)",
    )


def test_a_chain_is_judged_when_its_signature_was_first_seen() -> None:
    envelope = SIGNER.sign(SUBJECT)
    later = ISSUED_AT + timedelta(days=3650)
    refused(verify(envelope, now=later), SignatureFault.VALIDITY, "is not valid after")
    seen_in_time = verify(envelope, now=later, seen_at=NOW)
    assert seen_in_time.result is VerificationResult.VERIFIED
    too_early = ISSUED_AT - DAY
    refused(verify(envelope, seen_at=too_early), SignatureFault.VALIDITY, "is not valid before")


def test_a_certificates_last_second_counts_whole() -> None:
    signer = INTERMEDIATE.issue("Signer", publisher="acme", not_after=NOW)
    envelope = signer.sign(SUBJECT)
    seen_at = NOW + timedelta(milliseconds=999)
    assert verify(envelope, seen_at=seen_at).result is VerificationResult.VERIFIED
    refused(verify(envelope, seen_at=NOW + timedelta(seconds=1)), SignatureFault.VALIDITY, "after")


def test_a_root_that_had_expired_vouches_for_nothing_seen_later() -> None:
    old = root("Old", not_after=NOW - DAY)
    envelope = old.issue("Signer", publisher="acme").sign(SUBJECT)
    trust = trusting(old)
    refused(verify(envelope, trust=trust), SignatureFault.VALIDITY, "The root (CN=Old) is not")
    assert verify(envelope, trust=trust, seen_at=NOW - 2 * DAY).key_id


def test_a_renewed_root_stands_beside_the_old_one() -> None:
    key = new_key()
    old = root("Lasting", key=key, not_after=NOW)
    renewed = root("Lasting", key=key, not_before=NOW - DAY)
    trust = trusting(old, renewed)
    envelope = old.issue("Signer", publisher="acme").sign(SUBJECT)
    for seen_at in (ISSUED_AT + DAY, NOW + 30 * DAY):
        assert verify(envelope, trust=trust, seen_at=seen_at).key_id


@pytest.mark.parametrize(
    ("line", "fault", "detail"),
    [
        ("publisher: umbrella", SignatureFault.PUBLISHER, "The root (CN=Root) may not sign for"),
        ("not-after: 2026-05-31T00:00:00Z", SignatureFault.VALIDITY, "(CN=Root) is not valid"),
        ("not-before: 2026-06-02T00:00:00Z", SignatureFault.VALIDITY, "(CN=Root) is not valid"),
        ("revoked-at: 2026-05-31T00:00:00Z", SignatureFault.REVOKED, "was revoked at"),
    ],
)
def test_the_lines_before_a_root_restrict_it_now(
    line: str, fault: SignatureFault, detail: str
) -> None:
    envelope = SIGNER.sign(SUBJECT)
    trust = trusting(ROOT, lines=line)
    refused(verify(envelope, trust=trust, seen_at=ISSUED_AT + DAY), fault, detail)
    assert verify(envelope, trust=trusting(ROOT, lines="publisher: acme")).key_id


@pytest.mark.parametrize("revoked", [SIGNER, INTERMEDIATE, ROOT], ids=["signer", "middle", "root"])
def test_a_revoked_certificate_anywhere_in_the_chain_ends_it(revoked: Party) -> None:
    envelope = SIGNER.sign(SUBJECT)
    line = "revoked-at: 2026-05-31T00:00:00Z\n"
    others = [] if revoked is ROOT else [ROOT]
    text = line + revoked.pem + "".join(each.pem for each in others)
    trust = TrustBundle.from_pem(text.encode())
    seen_at = ISSUED_AT + DAY
    refused(verify(envelope, trust=trust, seen_at=seen_at), SignatureFault.REVOKED, "was revoked")
    before = NOW - 2 * DAY
    assert verify(envelope, trust=trust, now=before, seen_at=seen_at).key_id or revoked is ROOT


def test_a_revoked_bare_key_ends_every_chain_through_it() -> None:
    key = generate_key(Algorithm.ECDSA_P256)
    envelope = ROOT.issue("Signer", publisher="acme", key=key).sign(SUBJECT)
    pem = ROOT.pem + "revoked-at: 2026-05-31T00:00:00Z\n" + public_pem(key).decode()
    refused(
        verify(envelope, trust=TrustBundle.from_pem(pem.encode())),
        SignatureFault.REVOKED,
        "was revoked",
    )


def test_a_key_that_is_trusted_itself_needs_no_chain() -> None:
    envelope = SIGNER.sign_anyhow(SUBJECT, chain=[b"noise"])
    assert isinstance(SIGNER.key, ec.EllipticCurvePrivateKey)
    trust = TrustBundle.from_pem(public_pem(SIGNER.key))
    assert verify(envelope, trust=trust).result is VerificationResult.VERIFIED


def test_what_is_signed_is_still_held_against_the_bundle() -> None:
    other = replace(SUBJECT, version="9.9.9")
    refused(verify(SIGNER.sign(other)), SignatureFault.STATEMENT, "is for another version")


def test_hostile_names_are_shown_short_and_in_ascii() -> None:
    name = "\u202e\x1b[31mevil\n" + "x" * 40
    verification = verify(root(name).issue("Signer", publisher="acme").sign_anyhow(SUBJECT))
    assert verification.detail.isascii()
    assert verification.detail.isprintable()
    assert len(verification.detail) < 250


DER = SIGNER.der


@given(position=st.integers(0, len(DER) - 1), value=st.integers(0, 255))
def test_no_changed_byte_of_a_certificate_is_accepted(position: int, value: int) -> None:
    der = bytearray(DER)
    der[position] = value
    envelope = SIGNER.sign_anyhow(SUBJECT, chain=[bytes(der), INTERMEDIATE.der])
    verified = verify(envelope).result is VerificationResult.VERIFIED
    assert verified == (bytes(der) == DER)


@given(data=st.binary(max_size=200))
def test_noise_is_no_certificate(data: bytes) -> None:
    with pytest.raises(CertificateInvalidError):
        Certificate.from_der(data)
    with pytest.raises(CertificateInvalidError):
        Certificate.from_der(DER[: len(DER) // 2] + data)


def test_the_authority_itself_is_what_the_bundle_holds() -> None:
    (trusted,) = TRUST.roots
    assert trusted.certificate.der == ROOT.certificate.public_bytes(Encoding.DER)
