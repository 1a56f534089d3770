"""A process of the stack dies with its parent, comes back when it dies alone, and says why."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from extctl.dev_stack import die_with_parent
from extctl.dev_stack.processes import ProcessFailedError, ProcessSpec, SupervisedProcess

LAUNCHER = Path(die_with_parent.__file__)
LONG_LIVED = "import signal; print('ready', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LONG_LIVED
WAIT_SECONDS = 10.0


def wait_until(held: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not held():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def eventually(held: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not held():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def spec_of(directory: Path, program: str, *, ready: str = "ready") -> ProcessSpec:
    """A spec whose module is `program`; it is ready once its log has the word."""
    (directory / "service_of_test.py").write_text(program)
    log_path = directory / "service.log"

    async def is_ready() -> bool:
        return ready in log_path.read_text()

    return ProcessSpec(
        name="service",
        module="service_of_test",
        environment={"PYTHONPATH": str(directory), "PATH": os.environ["PATH"]},
        log_path=log_path,
        ports=(),
        is_ready=is_ready,
    )


def pids_of(spec: ProcessSpec) -> list[int]:
    return [
        child.pid
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and spec.module in child.cmdline()
    ]


def test_a_killed_parent_takes_its_child_along() -> None:
    script = textwrap.dedent(f"""
        import os, subprocess, sys, signal
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", {str(LAUNCHER)!r}, str(os.getpid()),
             sys.executable, "-c", {LONG_LIVED!r}], stdout=subprocess.PIPE)
        child.stdout.readline()
        print(child.pid, flush=True)
        signal.pause()
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_nothing_starts_when_the_parent_is_gone_already(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, LAUNCHER, "1", "/bin/touch", tmp_path / "started"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "parent is gone" in done.stderr
    assert not (tmp_path / "started").exists()


async def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    spec, told = spec_of(tmp_path, LONG_LIVED), list[str]()
    process = SupervisedProcess(spec=spec, tell=told.append)
    await process.start()
    try:
        (first,) = pids_of(spec)
        started = time.monotonic()
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: spec.log_path.read_text().count("ready") == 2)
        assert time.monotonic() - started < 3
        (second,) = pids_of(spec)
        assert second != first
        assert told == ["service was ended by signal SIGKILL; starting it again"]
    finally:
        await process.stop()
    assert pids_of(spec) == []


async def test_a_process_that_dies_again_and_again_is_started_ever_more_slowly(
    tmp_path: Path,
) -> None:
    spec, told = (
        spec_of(tmp_path, "import time; print('ready', flush=True); time.sleep(0.2)"),
        list[str](),
    )
    process = SupervisedProcess(spec=spec, tell=told.append)
    await process.start()
    try:
        await asyncio.sleep(2)
    finally:
        await process.stop()
    assert 2 <= len(told) <= 5


async def test_a_process_that_ends_before_it_is_ready_is_told_with_its_log(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "raise SystemExit('REGISTRY_X is not set.')", ready="never")
    process = SupervisedProcess(spec=spec, tell=lambda _text: None)
    with pytest.raises(ProcessFailedError, match=r"exit code 1.*(?s:.)*REGISTRY_X is not set\."):
        await process.start()
    assert pids_of(spec) == []


async def test_a_process_that_ignores_the_signal_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extctl.dev_stack.processes.STOP_SECONDS", 0.2)
    spec, told = spec_of(tmp_path, STUBBORN), list[str]()
    process = SupervisedProcess(spec=spec, tell=told.append)
    await process.start()
    await process.stop()
    assert pids_of(spec) == []
    assert "was killed" in told[-1]


async def test_a_start_that_is_cancelled_leaves_nothing_running(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, LONG_LIVED, ready="never")
    start = asyncio.create_task(SupervisedProcess(spec=spec, tell=lambda _text: None).start())
    await eventually(lambda: pids_of(spec) != [])
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert pids_of(spec) == []
