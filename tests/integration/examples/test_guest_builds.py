"""Building guests: a failure says what to do, and leaves nothing half done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INPUTS = ("examples", "runner_service/abi/wit", "tests/fixtures/guests")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Another copy of the sources, with nothing built yet."""
    for name in INPUTS:
        for source in (ROOT / name).rglob("*"):
            if source.is_file() and source.suffix != ".wasm" and "node_modules" not in source.parts:
                target = tmp_path / source.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
    return tmp_path


def build(
    checkout: Path, *, isolated: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    # Isolated from the site's packages, the interpreter sees no wheel with Node.js.
    python = [sys.executable, *(["-S"] if isolated else [])]
    return subprocess.run(
        [*python, str(checkout / "examples" / "build.py")],
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )


def made(checkout: Path) -> list[str]:
    names = (path.name for path in (checkout / "build" / "guests").iterdir())
    return sorted(name for name in names if name not in {".lock", "npm-cache"})


def test_a_registry_out_of_reach_is_told_without_a_traceback(checkout: Path) -> None:
    done = build(checkout, npm_config_registry="http://127.0.0.1:9/", npm_config_fetch_retries="0")
    assert done.returncode == 1
    assert "npm cannot install the build tools" in done.stderr
    assert "ECONNREFUSED" in done.stderr
    assert "Traceback" not in done.stderr
    assert made(checkout) == []


def test_a_missing_node_is_told(checkout: Path) -> None:
    done = build(checkout, isolated=True, PATH=str(checkout / "nothing"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: Node.js is missing: run `make sync-dev`")
    assert made(checkout) == []


def test_a_node_that_is_too_old_is_told(checkout: Path) -> None:
    tools = checkout / "bin"
    tools.mkdir()
    for name in ("node", "npm"):
        (tools / name).write_text("#!/bin/sh\necho v24.11.1\n")
        (tools / name).chmod(0o755)
    done = build(checkout, isolated=True, PATH=f"{tools}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "is v24.11.1; 24.12 or newer is needed" in done.stderr
    assert made(checkout) == []
