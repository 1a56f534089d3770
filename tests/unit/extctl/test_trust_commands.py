"""`extctl trust` and `extctl verify`: whom a file trusts, and exactly why a signature is not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from extctl.cli import GROUPS
from shared.trust.keys import private_pem
from shared.trust.trust_bundle import TrustBundle
from tests.fixtures.certificates import Party, root
from tests.fixtures.command_line import ExtCtl

NOW = datetime.now(UTC)
ROOT = root(not_after=NOW + timedelta(days=3650))
INTERMEDIATE = ROOT.issue("Issuing", ca=True, not_after=NOW + timedelta(days=900))


def signer_of(publisher: str = "acme", *, by: Party = INTERMEDIATE, **wishes: Any) -> Party:
    wishes = {"not_after": NOW + timedelta(days=365)} | wishes
    return by.issue("Signer", publisher=publisher, **wishes)


def key_file(path: Path, party: Party) -> Path:
    assert isinstance(party.key, EllipticCurvePrivateKey)
    path.write_bytes(private_pem(party.key))
    path.chmod(0o600)
    return path


def chain_file(path: Path, *parties: Party) -> Path:
    path.write_text("".join(each.pem for each in parties))
    return path


@pytest.fixture
def packed(extctl: ExtCtl, extension: Path, tmp_path: Path) -> Path:
    extctl("pack", extension)
    return tmp_path / "bundle.tar.zst"


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    return chain_file(tmp_path / "trust.pem", ROOT)


@pytest.fixture
def sign(extctl: ExtCtl, packed: Path, tmp_path: Path) -> Callable[..., Any]:
    def call(*parties: Party) -> Any:
        key = key_file(tmp_path / "key.pem", parties[0])
        chain = chain_file(tmp_path / "chain.pem", *parties)
        return extctl("sign", packed, "--key", key, "--chain", chain, "--json")

    return call


def test_what_is_signed_with_a_chain_verifies_without_a_stack(
    extctl: ExtCtl, sign: Callable[..., Any], packed: Path, trust: Path
) -> None:
    assert sign(signer_of(), INTERMEDIATE).code == 0
    told = extctl("verify", packed, "--trust", trust, "--json")
    assert told.result["result"] == "verified"
    assert "(CN=Signer) under root (CN=Root)" in told.result["detail"]
    assert told.result["warnings"] == []


@pytest.mark.parametrize(
    ("parties", "why"),
    [
        ((signer_of(not_after=NOW - timedelta(days=1)), INTERMEDIATE), "is not valid after"),
        ((signer_of("umbrella"), INTERMEDIATE), "extension-publisher:acme"),
        ((signer_of(), ROOT), "was not issued by the next one (CN=Root)"),
        ((signer_of(purposes=None), INTERMEDIATE), "is not for code signing"),
        ((INTERMEDIATE,), "is a certificate authority"),
    ],
    ids=["expired", "other publisher", "incomplete", "no purpose", "authority"],
)
def test_signing_refuses_a_chain_that_nobody_would_trust(
    sign: Callable[..., Any], packed: Path, parties: tuple[Party, ...], why: str
) -> None:
    refused = sign(*parties)
    assert (refused.code, refused.error["reason"]) == (1, "SIGNING_KEY_INVALID")
    assert why in refused.error["message"]
    assert not packed.with_name("bundle.tar.zst.dsse.json").exists()


def test_signing_refuses_a_chain_of_another_key(
    extctl: ExtCtl, packed: Path, tmp_path: Path
) -> None:
    key = key_file(tmp_path / "key.pem", signer_of())
    chain = chain_file(tmp_path / "chain.pem", signer_of(), INTERMEDIATE)
    refused = extctl("sign", packed, "--key", key, "--chain", chain, "--json")
    assert "is of another key" in refused.error["message"]


@pytest.mark.parametrize("content", ["", "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n", "\0"])
def test_signing_refuses_a_chain_that_is_none(
    extctl: ExtCtl, packed: Path, tmp_path: Path, content: str
) -> None:
    key = key_file(tmp_path / "key.pem", signer_of())
    chain = tmp_path / "chain.pem"
    chain.write_text(content)
    refused = extctl("sign", packed, "--key", key, "--chain", chain, "--json")
    assert (refused.code, refused.error["reason"]) == (1, "SIGNING_KEY_INVALID")
    assert "chain.pem" in refused.error["message"]


def fault_of(extctl: ExtCtl, packed: Path, trust: Path, *more: str) -> tuple[str, str]:
    told = extctl("verify", packed, "--trust", trust, *more, "--json")
    assert (told.code, told.error["reason"]) == (1, "BUNDLE_UNTRUSTED")
    (fault,) = told.error["faults"]
    assert fault["hint"]
    return fault["code"], fault["message"]


def test_verify_tells_each_fault_from_the_others(
    extctl: ExtCtl, sign: Callable[..., Any], packed: Path, extension: Path, trust: Path
) -> None:
    sign(signer_of(), INTERMEDIATE)
    envelope = packed.with_name("bundle.tar.zst.dsse.json")
    good = envelope.read_bytes()

    trust.write_text(root("Other").pem)
    assert fault_of(extctl, packed, trust)[0] == "chain"
    trust.write_text("publisher: umbrella\n" + ROOT.pem)
    assert fault_of(extctl, packed, trust)[0] == "publisher"
    trust.write_text("not-after: 2020-01-01T00:00:00Z\n" + ROOT.pem)
    assert fault_of(extctl, packed, trust)[0] == "validity"
    trust.write_text(ROOT.pem)
    assert fault_of(extctl, packed, trust, "--seen-at", "2025-01-01T00:00:00Z")[0] == "validity"

    envelope.write_bytes(b"{}")
    assert fault_of(extctl, packed, trust)[0] == "envelope"
    document = json.loads(good)
    document["signatures"][0].pop("x509")
    envelope.write_text(json.dumps(document))
    assert fault_of(extctl, packed, trust)[0] == "signature"

    envelope.write_bytes(good)
    (extension / "ui" / "index.html").write_text("another page")
    extctl("pack", extension)
    assert fault_of(extctl, packed, trust)[0] == "content_hash"
    manifest = json.loads((extension / "manifest.json").read_text())
    (extension / "manifest.json").write_text(json.dumps(manifest | {"version": "1.0.1"}))
    extctl("pack", extension)
    assert fault_of(extctl, packed, trust)[0] == "statement"


def test_verify_warns_of_what_ends_soon(
    extctl: ExtCtl, sign: Callable[..., Any], packed: Path, trust: Path
) -> None:
    sign(signer_of(not_after=NOW + timedelta(days=9)), INTERMEDIATE)
    told = extctl("verify", packed, "--trust", trust, "--json")
    (warning,) = told.result["warnings"]
    assert "(CN=Signer) expires" in warning
    made = extctl("keygen", "--out", "bare.pem", "--json").result["public_pem"]
    soon = (NOW + timedelta(days=9)).isoformat(timespec="seconds")
    trust.write_text(f"not-after: {soon}\n{made}")
    extctl("sign", packed, "--key", "bare.pem")
    told = extctl("verify", packed, "--trust", trust, "--json")
    assert told.result["result"] == "verified"
    assert "ends at" in told.result["warnings"][0]


def test_a_list_shows_every_entry_and_its_state(extctl: ExtCtl, trust: Path) -> None:
    bare = extctl("keygen", "--publisher", "acme", "--json").result
    old = root("Old", not_after=NOW - timedelta(days=1))
    trust.write_text(
        f"{ROOT.pem}{bare['public_pem']}{old.pem}revoked-at: 2026-01-01T00:00:00Z\n"
        f"{signer_of().pem}not-before: 2999-01-01T00:00:00Z\n{root('Future').pem}"
    )
    entries = extctl("trust", "list", trust, "--json").result["entries"]
    assert [(each["kind"], each["state"]) for each in entries] == [
        ("root", "trusted"),
        ("key", "trusted"),
        ("root", "expired"),
        ("certificate", "revoked"),
        ("root", "not yet valid"),
    ]
    assert entries[1]["key_id"] == bare["key_id"]
    assert entries[1]["publishers"] == ["acme"]
    shown = extctl("trust", "list", trust).out
    assert "CN=Root" in shown
    assert bare["key_id"][:16] in shown


def test_a_check_says_what_is_wrong_and_what_will_be(extctl: ExtCtl, trust: Path) -> None:
    soon = (NOW + timedelta(days=9)).isoformat(timespec="seconds")
    trust.write_text(f"publisher: acme\nnot-after: {soon}\n{ROOT.pem}")
    told = extctl("trust", "check", trust, "--json")
    assert (told.code, told.result["trusted"]) == (0, 1)
    assert ["expires at" in warning for warning in told.result["warnings"]] == [True]
    trust.write_text("revoked-at: 2026-01-01T00:00:00Z\n" + ROOT.pem)
    assert "Nobody is trusted" in extctl("trust", "check", trust, "--json").result["warnings"][0]
    trust.write_text("publishers: acme\n" + ROOT.pem)
    told = extctl("trust", "check", trust, "--json")
    assert (told.code, told.error["reason"]) == (1, "TRUST_BUNDLE_INVALID")
    assert "Line 2" in told.error["message"]


def test_a_revoked_key_stops_verifying_and_the_others_stay(
    extctl: ExtCtl, packed: Path, trust: Path
) -> None:
    first = extctl("keygen", "--out", "a.pem", "--json").result
    second = extctl("keygen", "--out", "b.pem", "--json").result
    trust.write_text(
        f"# ours\npublisher: acme\n{first['public_pem']}\n# theirs\n{second['public_pem']}"
    )
    extctl("sign", packed, "--key", "a.pem")
    assert extctl("verify", packed, "--trust", trust).code == 0
    told = extctl("trust", "revoke", first["key_id"][:12], "--trust", trust, "--json")
    assert told.result["key_id"] == first["key_id"]
    assert fault_of(extctl, packed, trust)[0] == "revoked"
    one, other = TrustBundle.from_pem(trust.read_bytes()).entries
    assert one.publishers == {"acme"}
    assert (one.revoked_at is None, other.revoked_at is None) == (False, True)
    assert "# theirs" in trust.read_text()


def test_a_certificate_is_revoked_under_a_root_that_stays(
    extctl: ExtCtl, sign: Callable[..., Any], packed: Path, trust: Path, tmp_path: Path
) -> None:
    signer = signer_of()
    sign(signer, INTERMEDIATE)
    leaf = chain_file(tmp_path / "leaf.pem", signer)
    at = (NOW + timedelta(days=1)).isoformat()
    assert extctl("trust", "revoke", leaf, "--trust", trust, "--at", at).code == 0
    assert extctl("verify", packed, "--trust", trust).code == 0
    again = extctl("trust", "revoke", leaf, "--trust", trust, "--json")
    assert again.error["reason"] == "TRUST_BUNDLE_INVALID"
    trust.write_text(ROOT.pem)
    extctl("trust", "revoke", leaf, "--trust", trust)
    assert fault_of(extctl, packed, trust)[0] == "revoked"


@pytest.mark.parametrize("what", ["", "0000000000", "nonsense"])
def test_revoking_what_is_not_there_changes_nothing(extctl: ExtCtl, trust: Path, what: str) -> None:
    before = trust.read_bytes()
    assert extctl("trust", "revoke", what, "--trust", trust).code == 1
    assert trust.read_bytes() == before


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-01", "2026-01-01T00:00:00"])
def test_a_moment_says_its_offset(extctl: ExtCtl, trust: Path, moment: str) -> None:
    assert extctl("trust", "revoke", "ab", "--trust", trust, "--at", moment).code == 2


GROUPED = [
    (group.name, command)
    for groups in GROUPS.values()
    for group in groups
    for command in group.commands
]


@pytest.mark.parametrize("command", GROUPED, ids=" ".join)
def test_every_command_of_a_group_has_help_and_json(
    extctl: ExtCtl, command: tuple[str, str]
) -> None:
    told = extctl(*command, "--help")
    assert told.code == 0
    assert "--json" in told.out


def test_reading_a_missing_trust_bundle_says_so(extctl: ExtCtl) -> None:
    for command in ("list", "check"):
        told = extctl("trust", command, "missing.pem", "--json")
        assert told.code == 1
        assert "missing.pem cannot be read" in told.error["message"]
