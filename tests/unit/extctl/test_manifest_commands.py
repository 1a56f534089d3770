"""`extctl manifest` and what `pack` checks, without a stack."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.bundles.archive import read_bundle
from shared.bundles.manifest import manifest_schema
from tests.fixtures.command_line import ExtCtl
from tests.fixtures.guests.assembly import assemble

STORING = assemble(
    """(module
      (import "alga:extension/storage" "delete" (func (param i32 i32 i32 i32 i32)))
      (func (export "handler") (param i32) (result i32) unreachable))"""
)
KEY = b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 64 + b"\n-----END PRIVATE KEY-----\n"


def change(extension: Path, **changes: Any) -> None:
    path = extension / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_schema_is_printed_for_editors(extctl: ExtCtl) -> None:
    assert extctl("manifest", "schema").result == manifest_schema()


def test_a_good_extension_is_told_to_be_one(extctl: ExtCtl, extension: Path) -> None:
    told = extctl("manifest", "check", extension, "--json")
    assert told.code == 0
    assert told.result == {"extension": "acme.small", "version": "1.0.0", "warnings": []}


def test_everything_that_is_wrong_is_told_at_once(extctl: ExtCtl, extension: Path) -> None:
    change(extension, runtime="?", capabilities=["storage.kw"])
    (extension / "dist" / "main.wasm").write_bytes(b"\0asm\x0d\0\1\0")
    (extension / "ui" / "key.pem").write_bytes(KEY)
    refused = extctl("manifest", "check", extension, "--json")
    assert (refused.code, refused.error["reason"]) == (1, "MANIFEST_INVALID")
    assert [fault["code"] for fault in refused.error["faults"]] == [
        "runtime", "capability", "secret_embedded", "handler_missing",
    ]  # fmt: skip
    assert KEY.decode()[30:60] not in refused.err


def test_an_undeclared_capability_is_told_before_anything_is_sent(
    extctl: ExtCtl, extension: Path
) -> None:
    (extension / "dist" / "main.wasm").write_bytes(STORING)
    refused = extctl("pack", extension, "--json")
    assert [fault["code"] for fault in refused.error["faults"]] == ["capability_undeclared"]
    change(extension, capabilities=["storage.kv", "http.fetch"])
    packed = extctl("pack", extension, "--json")
    assert packed.code == 0
    assert "cap:http.fetch" in packed.result["warnings"][0]


def test_the_bill_of_materials_is_packed_and_read(
    extctl: ExtCtl, extension: Path, tmp_path: Path
) -> None:
    change(extension, sbom="sbom/spdx.json")
    refused = extctl("manifest", "check", extension, "--json")
    assert [fault["path"] for fault in refused.error["faults"]] == ["sbom"]
    (extension / "sbom").mkdir()
    (extension / "sbom" / "spdx.json").write_text('{"bomFormat": "CycloneDX"}')
    (extension / "sbom" / "other.json").write_text("{}")
    assert extctl("pack", extension).code == 0
    files = read_bundle((tmp_path / "bundle.tar.zst").read_bytes())
    assert [path for path in files if path.startswith("sbom/")] == ["sbom/spdx.json"]
    (extension / "sbom" / "spdx.json").write_text("{}")
    assert extctl("pack", extension).code == 1


def test_a_bill_of_materials_elsewhere_is_not_taken_into_the_bundle(
    extctl: ExtCtl, extension: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.json").write_text('{"bomFormat": "CycloneDX"}')
    (extension / "sbom.json").symlink_to(tmp_path / "secret.json")
    for path in ("../secret.json", "/etc/hostname", "sbom.json"):
        change(extension, sbom=path)
        assert extctl("pack", extension, "--json").code == 1


@pytest.mark.parametrize("command", [("checks", "a.b"), ("gc",), ("sbom", "show", "a.b")])
def test_what_needs_a_stack_says_so(extctl: ExtCtl, command: tuple[str, ...]) -> None:
    assert "No stack is running" in extctl(*command, "--json").error["message"]
