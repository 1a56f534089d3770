"""`extctl checks`, `sbom`, `gc` and `manifest` against a stack of their own."""

import json
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.own_stack import OwnStack, own_stack, passable_directory

EXAMPLE = Path(__file__).parents[3] / "examples" / "agreements"
SBOM = {
    "bomFormat": "CycloneDX",
    "components": [{"name": "left-pad", "version": "1.3.0", "purl": "pkg:npm/left-pad@1.3.0"}],
}


@pytest.fixture(scope="module")
def stack() -> Iterator[OwnStack]:
    with passable_directory() as directory, own_stack(directory / "stack") as running:
        yield running


@pytest.fixture
def extension(tmp_path: Path) -> Path:
    """A copy of the example, of version 1.0.* and with a bill of materials."""
    copy = tmp_path / "agreements"
    shutil.copytree(EXAMPLE, copy)
    (copy / "sbom.json").write_text(json.dumps(SBOM))
    change(copy, version="1.0.*", sbom="sbom.json")
    return copy


def change(extension: Path, **changes: Any) -> None:
    path = extension / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_publish_its_checks_and_its_bill_of_materials_can_be_shown(
    stack: OwnStack, extension: Path
) -> None:
    published = stack.result("publish", extension)
    assert re.fullmatch(r"1\.0\.\d+", published["version"])
    change(extension, version="1.0.*", description="again")
    again = stack.result("publish", extension)
    assert int(again["version"][4:]) == int(published["version"][4:]) + 1
    [shown] = stack.result("checks", "acme.agreements", published["version"])["publishes"]
    assert shown["outcome"] == "published"
    assert {check["name"] for check in shown["checks"]} >= {"component", "capabilities", "sbom"}
    assert {check["result"] for check in shown["checks"]} == {"passed"}
    told = stack.result("sbom", "show", "acme.agreements", "--version", published["version"])
    assert told == {"format": "cyclonedx", "document": SBOM}
    for component in ("left-pad", "pkg:npm/left-pad"):
        uses = stack.result("sbom", "find", component)["uses"]
        assert {use["version"] for use in uses} >= {published["version"], again["version"]}
    assert stack.result("sbom", "find", "left-pad", "--component-version", "9")["uses"] == []
    assert stack.error("sbom", "show", "acme.agreements", "--version", "9.9.9")["reason"] == (
        "VERSION_NOT_FOUND"
    )


def test_the_runners_take_the_code_that_the_registry_compiled(
    stack: OwnStack, extension: Path
) -> None:
    stack.result("publish", extension)
    tenant = str(uuid.uuid4())
    stack.result("install", "acme.agreements", "--tenant", tenant)
    path = "/api/ext/acme.agreements/agreements"
    assert stack.result("call", "GET", path, "--tenant", tenant)["status"] == 200
    code = list((stack.directory / "bundles").rglob("compiled/*.cwasm"))
    assert code
    log = "".join(log.read_text() for log in (stack.directory / "logs").glob("runner-*.log"))
    assert "not the fleet's" not in log
    assert "does not fit" not in log


def test_a_refused_publish_can_be_looked_up(stack: OwnStack, extension: Path) -> None:
    """Only the registry can tell that the name in the signature is nobody's it trusts."""
    change(extension, version="7.0.0")
    refused = stack.error("publish", extension, "--unsigned")
    assert refused["reason"] == "BUNDLE_UNTRUSTED"
    [shown] = stack.result("checks", "acme.agreements", "7.0.0")["publishes"]
    assert shown["outcome"] == "refused"
    assert {c["name"] for c in shown["checks"] if c["result"] == "failed"} == {"signature"}


def test_garbage_is_counted_and_kept_for_its_grace_period(stack: OwnStack, extension: Path) -> None:
    change(extension, version="8.0.0")
    stack.error("publish", extension, "--unsigned")
    for arguments in (["--dry-run"], []):
        told = stack.result("gc", *arguments)
        assert (told["objects"], told["bytes"]) == (0, 0)


def test_the_registrys_schema_is_that_of_the_command(stack: OwnStack) -> None:
    assert stack.result("manifest", "schema", "--of-registry") == stack.result("manifest", "schema")
