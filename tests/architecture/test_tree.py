"""The tree keeps the promises of docs/adr: small files, one vocabulary, no machine in it."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.capabilities import CAPABILITIES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("extctl", "gateway_shim", "registry_service", "runner_service", "shared")
MAX_LINES = 300
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|managers?|misc)(_|$)")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "pb" not in path.relative_to(ROOT).parts:
                yield path


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_module_is_longer_than_a_sitting() -> None:
    too_long = {
        str(path.relative_to(ROOT)): count
        for path in modules()
        if (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not too_long


def test_no_module_is_a_drawer_for_everything() -> None:
    assert not [p for p in modules() if FORBIDDEN_NAMES.search(p.stem)]


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_the_top_level_is_the_owners() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    folders = {name for name in names if (ROOT / name).is_dir() and not name.startswith(".")}
    allowed = {
        "protos", "registry_service", "runner_service", "gateway_shim", "shared", "tests", "deploy",
        "extctl", "examples", "docs",
    }  # fmt: skip
    assert folders <= allowed


def test_each_capability_has_the_file_that_its_name_promises() -> None:
    for capability in CAPABILITIES:
        stem = capability.removeprefix("cap:").replace(".", "_")
        assert (ROOT / "runner_service" / "capabilities" / f"{stem}.py").exists(), capability


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_locks_pin_with_hashes_and_name_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "--index-url" not in text
    assert "://" not in text
    for requirement in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[\w.-]+(\[\w+\])?==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement


def test_no_npm_lock_names_a_registry() -> None:
    for path in tracked():
        if path.name == "package-lock.json":
            assert '"resolved"' not in path.read_text()


def test_no_file_speaks_of_the_machine_it_was_written_on() -> None:
    home = re.compile(rb"/(?:root|home/\w+)/|" + re.escape(str(ROOT.parent).encode()) + rb"/\w")
    guilty = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.is_file() and path.suffix != ".wasm" and home.search(path.read_bytes())
    ]
    assert not guilty
