"""Compiling in a child: what it answers, what it may not do, and what its end means."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from wasmtime import wat2wasm

from runner_service.engine import Engine
from shared.component_compiler import (
    EXIT_OUT_OF_MEMORY,
    EXIT_USAGE,
    ComponentCompiler,
    compiler_command,
)
from shared.errors import CompilerUnavailableError, ComponentInvalidError
from tests.fixtures.guests.answers import Answers, limits, request


@pytest.fixture(scope="module")
def compiler() -> ComponentCompiler:
    return ComponentCompiler(command=compiler_command(""))


def python(text: str, *, wall_seconds: float = 20) -> ComponentCompiler:
    """A compiler that does what `text` says, in the real one's place."""
    command = [sys.executable, "-I", "-c", textwrap.dedent(text)]
    return ComponentCompiler(command=command, wall_seconds=wall_seconds)


async def test_code_that_the_child_made_runs_in_our_engine(
    compiler: ComponentCompiler, engine: Engine, scenarios_bytes: bytes, tmp_path: Path
) -> None:
    compiled = await compiler.compile(scenarios_bytes)
    assert compiled.fingerprint == engine.fingerprint
    path = tmp_path / "code"
    path.write_bytes(compiled.code)
    run = await asyncio.to_thread(engine.run, engine.load(path), request("/u"), Answers(), limits())
    assert run.response is not None
    assert run.response.body == b"/u"


async def test_a_check_gives_the_same_verdict_and_no_code(
    compiler: ComponentCompiler, scenarios_bytes: bytes
) -> None:
    await compiler.check(scenarios_bytes)
    with pytest.raises(ComponentInvalidError):
        await compiler.check(scenarios_bytes[:-40])


@pytest.mark.parametrize(
    ("component", "words"),
    [
        (b"", "magic"),
        (b"(component)", "text"),
        (bytes(wat2wasm("(module)")), "core module"),
        (b"\0asm\x0d\0\1\0\xff\xff\xff\xff", "does not compile"),
        (bytes(wat2wasm("(component)")), "handler"),
    ],
    ids=["nothing", "text", "module", "damaged", "no handler"],
)
async def test_what_the_engine_refuses_is_refused_with_the_engines_words(
    compiler: ComponentCompiler, component: bytes, words: str
) -> None:
    with pytest.raises(ComponentInvalidError, match=words):
        await compiler.compile(component)


async def test_faults_come_back_whole(compiler: ComponentCompiler) -> None:
    foreign = bytes(wat2wasm('(component (import "evil:host/shell" (instance)))'))
    with pytest.raises(ComponentInvalidError) as told:
        await compiler.compile(foreign)
    assert [fault.code for fault in told.value.faults] == ["import_refused", "handler_missing"]
    assert told.value.faults[0].path == "imports.evil:host/shell"


DEATHS = {
    "abort": "os.abort()",
    "segmentation fault": "os.kill(os.getpid(), signal.SIGSEGV)",
    "cpu time": "resource.setrlimit(resource.RLIMIT_CPU, (1, 3))\nwhile True: pass",
    "out of memory": f"sys.exit({EXIT_OUT_OF_MEMORY})",
}


@pytest.mark.parametrize("death", DEATHS)
async def test_a_component_that_kills_its_compiler_is_refused_for_good(death: str) -> None:
    text = f"import os, resource, signal, sys\nsys.stdin.buffer.read()\n{DEATHS[death]}"
    with pytest.raises(ComponentInvalidError):
        await python(text).compile(b"x")


@pytest.mark.parametrize(
    "text",
    [
        "raise SystemExit(1)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "",
        "print('not json')",
        "print('{}')",
        'print(\'{"accepted": false, "message": "x", "faults": [{"bad": 1}]}\')',
        "print('[' * 100000)",
    ],
)
async def test_an_answer_that_is_none_may_be_asked_for_again(text: str) -> None:
    with pytest.raises(CompilerUnavailableError):
        await python(text).compile(b"x" * 1_000_000)


def compilers() -> list[psutil.Process]:
    """The children that sleep here; a test run has others, such as servers."""
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "time.sleep(60)" in " ".join(child.cmdline())
    ]


async def test_a_compiler_that_hangs_is_killed() -> None:
    hanging = python("import time; time.sleep(60)", wall_seconds=0.5)
    started = time.monotonic()
    with pytest.raises(CompilerUnavailableError, match="not compiled within"):
        await hanging.compile(b"x")
    assert time.monotonic() - started < 10
    assert not compilers()


async def test_a_caller_that_gives_up_takes_the_compiler_along() -> None:
    waiting = asyncio.create_task(python("import time; time.sleep(60)").compile(b"x"))
    while not (compilers() or waiting.done()):  # noqa: ASYNC110 - a child has no event
        await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not compilers()


async def test_output_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.component_compiler.MAX_CODE_BYTES", 1_000_000)
    endless = python("import sys\nwhile True: sys.stdout.buffer.write(bytes(65536))")
    with pytest.raises(ComponentInvalidError, match="more than 1000000 bytes"):
        await endless.compile(b"x")


def test_a_child_sees_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_TEST_SECRET", "hunter2")
    telling = python(
        """
        import json, os
        seen = {"environment": dict(os.environ), "files": os.listdir("/proc/self/fd"),
                "group": os.getpgid(0) == os.getpid(), "directory": os.getcwd()}
        print(json.dumps({"accepted": True, "fingerprint": json.dumps(seen)}))
        """
    )
    with (Path(os.devnull)).open("rb"):
        seen = asyncio.run(telling.compile(b"x")).fingerprint
    assert "hunter2" not in seen
    assert '"files": ["0", "1", "2", "3"]' in seen  # 3 is the listing's own
    assert '"directory": "/"' in seen


CONFINED = """
import json, os, resource, sys
from runner_service.compiler.confinement import CompilerLimits, confine
confine(CompilerLimits(cpu_seconds=1, data_bytes=200 << 20), parent=os.getppid())
"""


def confined(text: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-c", CONFINED + textwrap.dedent(text)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_confined_process_has_little_time_memory_and_no_files(tmp_path: Path) -> None:
    assert confined("while True: pass").returncode == -signal.SIGXCPU
    assert "MemoryError" in confined("bytearray(300 << 20)").stderr
    written = tmp_path / "written"
    ended = confined(f"with open({str(written)!r}, 'w') as file: file.write('x' * 9)")
    assert "File too large" in ended.stderr
    assert written.read_text() == ""


def test_a_confined_process_dumps_no_core_and_gains_no_rights() -> None:
    told = confined(
        """
        status = open("/proc/self/status").read()
        print("NoNewPrivs:\\t1" in status, resource.getrlimit(resource.RLIMIT_CORE))
        """
    )
    assert told.stdout == "True (0, 0)\n"


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-I", "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_confined_process_dies_with_its_parent() -> None:
    sleeping = CONFINED + "print('confined', flush=True)\nimport time; time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-I", "-c", PARENT, sleeping], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    deadline = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("arguments", [[], ["x"], ["1", "--run"], ["1", "--check-only", "more"]])
def test_a_wrong_command_line_is_told(arguments: list[str]) -> None:
    ended = subprocess.run(
        [*compiler_command(""), *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == EXIT_USAGE
    assert "PARENT_PID" in ended.stderr


def test_a_parent_that_is_gone_is_noticed(scenarios_bytes: bytes) -> None:
    ended = subprocess.run(
        [*compiler_command(""), "1"], check=False, capture_output=True, input=scenarios_bytes
    )
    assert ended.returncode == 1
    assert b"parent is gone" in ended.stderr
    assert ended.stdout == b""
