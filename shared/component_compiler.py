"""Has components compiled and type-checked by a child process, `python -m runner_service.compiler`.

The one who asks never reads a component with a compiler of its own: wasmtime aborts the process on
some inputs, and takes its time on others. The child gets nothing of ours: no environment, no open
file, no way to write one; it limits itself, and dies with us.
"""

import asyncio
import json
import os
import shlex
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import CompilerUnavailableError, ComponentInvalidError, Fault

EXIT_USAGE: Final = 2
EXIT_OUT_OF_MEMORY: Final = 4
WALL_SECONDS: Final = 90.0
MAX_CODE_BYTES: Final = 256 * 1024 * 1024
PARALLEL: Final = 2
"""Components that are compiled at once: each takes hundreds of megabytes, and cores for seconds."""

_MAX_ANSWER_BYTES: Final = 256 * 1024
_CHUNK_BYTES: Final = 256 * 1024
_FATAL: Final = frozenset(
    {
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGTRAP,
    }
)


@dataclass(frozen=True, slots=True)
class CompiledCode:
    """Machine code, for engines with this fingerprint. Without code it was only checked."""

    fingerprint: str
    code: bytes


def compiler_command(text: str) -> tuple[str, ...]:
    """The command line that `text` gives; empty text means this interpreter's own compiler.

    Raises:
        ValueError: the text has an open quotation.
    """
    return tuple(shlex.split(text)) or (sys.executable, "-I", "-m", "runner_service.compiler")


class ComponentCompiler:
    """Runs the compiler, a few at a time."""

    def __init__(self, *, command: Sequence[str], wall_seconds: float = WALL_SECONDS) -> None:
        self._command = tuple(command)
        self._wall_seconds = wall_seconds
        self._slots = asyncio.Semaphore(PARALLEL)

    async def check(self, component: bytes) -> None:
        """Compiles and type-checks a component, and drops the code. Raises: as `compile`."""
        await self._run(component, "--check-only")

    async def compile(self, component: bytes) -> CompiledCode:
        """Compiles and type-checks a component.

        Raises:
            ComponentInvalidError: it is none of our world, or no compiler survives it. The same
                bytes will be refused again.
            CompilerUnavailableError: the compiler could not be run to its end; another time it may.
        """
        return await self._run(component)

    async def _run(self, component: bytes, *flags: str) -> CompiledCode:
        async with self._slots:
            process = await self._start(flags)
            try:
                async with asyncio.timeout(self._wall_seconds):
                    _, output = await asyncio.gather(_feed(process, component), _read(process))
                    status = await process.wait()
            except TimeoutError:
                raise CompilerUnavailableError(
                    f"The component was not compiled within {self._wall_seconds:.0f} s."
                ) from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if status != 0:
            raise _ended(status)
        return _answer(output)

    async def _start(self, flags: Sequence[str]) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._command, str(os.getpid()), *flags,
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd="/", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise CompilerUnavailableError(
                f"The compiler cannot be started: {error.strerror}."
            ) from None


async def _feed(process: Process, component: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(component)
        await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return  # it has ended; its status says why


async def _read(process: Process) -> bytes:
    assert process.stdout is not None
    output = bytearray()
    while chunk := await process.stdout.read(_CHUNK_BYTES):
        output += chunk
        if len(output) > MAX_CODE_BYTES:
            process.kill()
            raise ComponentInvalidError(
                f"The component compiles to more than {MAX_CODE_BYTES} bytes of machine code."
            )
    return bytes(output)


def _answer(output: bytes) -> CompiledCode:
    line, _, code = output.partition(b"\n")
    try:
        answer = json.loads(line[:_MAX_ANSWER_BYTES])
        if answer["accepted"] is True:
            return CompiledCode(str(answer["fingerprint"]), code)
        faults = [Fault(**fault) for fault in answer["faults"]]
        refusal = ComponentInvalidError(str(answer["message"]), faults=faults)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CompilerUnavailableError("The compiler's answer cannot be read.") from None
    raise refusal


def _ended(status: int) -> ComponentInvalidError | CompilerUnavailableError:
    """What it means that the compiler ended without an answer."""
    if status == -signal.SIGXCPU:
        return ComponentInvalidError("The component takes too long to compile.")
    if status == EXIT_OUT_OF_MEMORY or -status in _FATAL:
        return ComponentInvalidError(
            "The compiler does not survive the component, or would need too much memory for it."
        )
    return CompilerUnavailableError(f"The compiler ended with status {status}.")
