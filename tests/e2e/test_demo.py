"""`extctl demo` shows the main job, and ends with an error when something is not as it states."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.own_stack import EXTCTL, passable_directory, wait_until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "agreements"
HOSTILE = ROOT / "tests" / "fixtures" / "guests" / "hostile.wasm"
DEMO_SECONDS = 120


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the demo makes its temporary directory."""
    with passable_directory() as directory:
        yield directory


def demo(temporary: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EXTCTL, "demo", "--once", *options],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )


def test_the_demo_shows_the_main_job_and_cleans_up(temporary: Path) -> None:
    done = demo(temporary, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert [step["step"].split()[0] for step in told["steps"]] == [
        "Make", "Pack", "Install", "Call", "See", "Read", "Plan", "Yank", "Quarantine", "Revoke",
    ]  # fmt: skip
    calls = [(row["method"], row["http_status"], row["status"]) for row in told["executions"]]
    assert calls == [
        ("GET", 200, "ok"), ("POST", 201, "ok"), ("GET", 200, "ok"), ("GET", 200, "ok"),
    ]  # fmt: skip
    assert list(temporary.iterdir()) == []


def test_the_demo_reads_well_without_a_terminal(temporary: Path) -> None:
    done = demo(temporary)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line for line in done.stderr.splitlines() if line.startswith("✓ ")]
    numbered = [line.split()[1] for line in steps if line.split()[1].rstrip(".").isdigit()]
    assert numbered == [f"{number}." for number in range(1, 11)]
    assert "\x1b" not in done.stdout + done.stderr
    assert "/readyz" in done.stdout
    assert "/metrics" in done.stdout
    assert not [line for line in done.stderr.splitlines() if line != line.rstrip()]


def test_the_demo_fails_at_the_first_answer_that_is_not_as_stated(
    temporary: Path, tmp_path: Path
) -> None:
    liar = tmp_path / "liar"
    shutil.copytree(EXAMPLE / "ui", liar / "ui")
    (liar / "dist").mkdir()
    shutil.copy(HOSTILE, liar / "dist" / "main.wasm")
    shutil.copy(EXAMPLE / "manifest.json", liar)
    done = demo(temporary, "--example", liar)
    assert done.returncode == 1
    assert "✗ 4. Call it through the gateway" in done.stderr
    assert "The answer should be" in done.stderr
    assert "Traceback" not in done.stderr
    assert "kept, with its logs" in done.stderr


def test_the_demo_stays_up_until_it_is_interrupted(temporary: Path) -> None:
    with subprocess.Popen(
        [*EXTCTL, "demo"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "stays up" in line:
                break
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        assert process.wait(30) == 0
    wait_until(lambda: list(temporary.iterdir()) == [])
