"""keygen, pack, sign and verify, on the disk."""

import json
from pathlib import Path
from typing import Any

import pytest

from extctl.bundling import open_bundle
from shared.trust.trust_bundle import TrustBundle
from tests.fixtures.command_line import ExtCtl


@pytest.fixture
def trust(extctl: ExtCtl, tmp_path: Path) -> Path:
    """A trust bundle with the key publisher.pem."""
    path = tmp_path / "trust.pem"
    path.write_text(extctl("keygen", "--publisher", "acme", "--json").result["public_pem"])
    return path


def change_manifest(directory: Path, **changes: Any) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_new_key_is_readable_by_its_owner_only(extctl: ExtCtl, tmp_path: Path) -> None:
    assert extctl("keygen", "--out", "key.pem").code == 0
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600


def test_keygen_never_prints_the_private_key(extctl: ExtCtl) -> None:
    made = extctl("keygen")
    assert "PRIVATE" not in made.out + made.err


def test_keygen_never_overwrites_a_key(extctl: ExtCtl, tmp_path: Path) -> None:
    extctl("keygen", "--out", "key.pem")
    before = (tmp_path / "key.pem").read_bytes()
    again = extctl("keygen", "--out", "key.pem", "--json")
    assert (again.code, again.error["reason"]) == (1, "SIGNING_KEY_INVALID")
    assert (tmp_path / "key.pem").read_bytes() == before


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("ed25519", "ed25519"), ("p256", "ecdsa-p256"), ("rsa3072", "rsa-pss-sha256")],
)
def test_a_key_restricted_to_a_publisher_says_so(extctl: ExtCtl, kind: str, algorithm: str) -> None:
    made = extctl("keygen", "--publisher", "acme", "--algorithm", kind, "--json")
    assert made.code == 0
    (entry,) = TrustBundle.from_pem(made.result["public_pem"].encode()).keys
    assert entry.publishers == {"acme"}
    assert entry.algorithm == algorithm
    assert entry.key_id == made.result["key_id"]


def test_packing_twice_gives_the_same_bytes(
    extctl: ExtCtl, extension: Path, tmp_path: Path
) -> None:
    first = extctl("pack", extension, "--out", "a.tar.zst", "--json")
    second = extctl("pack", extension, "--out", "b.tar.zst", "--json")
    assert (tmp_path / "a.tar.zst").read_bytes() == (tmp_path / "b.tar.zst").read_bytes()
    assert first.result["content_hash"] == second.result["content_hash"]
    assert first.result["files"] == ["dist/main.wasm", "manifest.json", "ui/index.html"]


def test_only_what_belongs_to_a_bundle_is_packed(extctl: ExtCtl, extension: Path) -> None:
    (extension / "src").mkdir()
    (extension / "src" / "secret.env").write_text("KEY=1")
    (extension / ".env").write_text("KEY=1")
    assert not [f for f in extctl("pack", extension, "--json").result["files"] if "env" in f]


def test_a_link_is_not_followed_into_a_bundle(extctl: ExtCtl, extension: Path) -> None:
    (extension / "ui" / "passwd").symlink_to("/etc/passwd")
    refused = extctl("pack", extension, "--json")
    assert refused.code == 1
    assert "no regular file" in refused.error["message"]


def test_a_linked_directory_is_not_followed_into_a_bundle(extctl: ExtCtl, extension: Path) -> None:
    (extension / "ui" / "etc").symlink_to("/etc")
    assert extctl("pack", extension, "--json").code == 1


def test_a_directory_without_component_is_refused_with_what_is_missing(
    extctl: ExtCtl, extension: Path
) -> None:
    (extension / "dist" / "main.wasm").unlink()
    refused = extctl("pack", extension, "--json")
    assert refused.code == 1
    assert "dist/main.wasm" in refused.error["message"]


def test_all_faults_of_a_manifest_are_told_at_once(extctl: ExtCtl, extension: Path) -> None:
    change_manifest(
        extension,
        version="1.*",
        capabilites=[],
        api={"endpoints": [{"method": "FETCH", "path": "th ings", "handler": "h"}]},
    )
    refused = extctl("pack", extension, "--json")
    assert (refused.code, refused.error["reason"]) == (1, "MANIFEST_INVALID")
    assert {fault["path"] for fault in refused.error["faults"]} >= {
        "version", "capabilites", "api.endpoints[0].method", "api.endpoints[0].path",
    }  # fmt: skip
    shown = extctl("pack", extension).err
    assert "api.endpoints[0].method" in shown
    assert "what to do" in shown


def test_a_core_module_is_refused_as_such(extctl: ExtCtl, extension: Path) -> None:
    (extension / "dist" / "main.wasm").write_bytes(b"\0asm\x01\0\0\0")
    refused = extctl("pack", extension, "--json")
    assert refused.error["reason"] == "COMPONENT_INVALID"
    assert "core WebAssembly module" in refused.error["message"]


def test_a_signed_bundle_verifies(extctl: ExtCtl, extension: Path, trust: Path) -> None:
    extctl("pack", extension)
    signed = extctl("sign", "bundle.tar.zst", "--json")
    assert signed.result["signature_file"] == "bundle.tar.zst.dsse.json"
    told = extctl("verify", "bundle.tar.zst", "--trust", trust, "--json")
    assert (told.code, told.result["result"]) == (0, "verified")
    assert told.result["key_id"] == signed.result["key_id"]


def test_a_changed_bundle_does_not_verify(extctl: ExtCtl, extension: Path, trust: Path) -> None:
    extctl("pack", extension)
    extctl("sign", "bundle.tar.zst")
    (extension / "ui" / "index.html").write_text("<script>evil()</script>")
    extctl("pack", extension)
    told = extctl("verify", "bundle.tar.zst", "--trust", trust, "--json")
    assert (told.code, told.error["reason"]) == (1, "BUNDLE_UNTRUSTED")


def test_an_unsigned_bundle_does_not_verify(extctl: ExtCtl, extension: Path, trust: Path) -> None:
    extctl("pack", extension)
    told = extctl("verify", "bundle.tar.zst", "--trust", trust, "--json")
    assert (told.code, told.error["reason"]) == (1, "BUNDLE_UNTRUSTED")


def test_another_publishers_key_does_not_verify(
    extctl: ExtCtl, extension: Path, trust: Path
) -> None:
    change_manifest(extension, publisher="globex")
    extctl("pack", extension)
    extctl("sign", "bundle.tar.zst")
    told = extctl("verify", "bundle.tar.zst", "--trust", trust, "--json")
    assert (told.code, told.error["reason"]) == (1, "BUNDLE_UNTRUSTED")


def test_signing_refuses_a_key_that_others_can_read(
    extctl: ExtCtl, extension: Path, tmp_path: Path
) -> None:
    extctl("pack", extension)
    extctl("keygen", "--out", "open.pem")
    (tmp_path / "open.pem").chmod(0o644)
    refused = extctl("sign", "bundle.tar.zst", "--key", "open.pem", "--json")
    assert (refused.code, refused.error["reason"]) == (1, "SIGNING_KEY_INVALID")


def test_a_truncated_bundle_is_refused(extctl: ExtCtl, extension: Path, tmp_path: Path) -> None:
    extctl("pack", extension)
    path = tmp_path / "bundle.tar.zst"
    path.write_bytes(path.read_bytes()[:-20])
    refused = extctl("sign", path, "--json")
    assert (refused.code, refused.error["reason"]) == (1, "BUNDLE_INVALID")


def test_what_is_packed_reads_back(extctl: ExtCtl, extension: Path, tmp_path: Path) -> None:
    extctl("pack", extension)
    bundle = open_bundle(tmp_path / "bundle.tar.zst")
    assert bundle.extension == "acme.small"
    assert bundle.files["ui/index.html"] == (extension / "ui" / "index.html").read_bytes()
