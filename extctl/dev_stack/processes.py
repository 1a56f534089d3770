"""One process of the stack: started, watched, brought back when it dies, stopped.

It dies with the thread that started it, so only the main thread's event loop may start one.
"""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
"""Longer than the services take to let running calls finish."""
_ASK_EVERY_SECONDS: Final = 0.05
_LONG_LIVED_SECONDS: Final = 30.0
_MAX_BACKOFF_SECONDS: Final = 5.0
_TAIL_LINES: Final = 15
_MAX_LOG_BYTES: Final = 16 * 1024 * 1024
_LAUNCHER: Final = Path(__file__).with_name("die_with_parent.py")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run, and how to know that it is ready."""

    name: str
    module: str
    environment: Mapping[str, str]
    log_path: Path
    ports: tuple[int, ...]
    is_ready: Callable[[], Awaitable[bool]]


class ProcessFailedError(Exception):
    """A process of the stack did not become ready."""

    def __init__(self, message: str, *, exited: bool) -> None:
        super().__init__(message)
        self.exited = exited
        """It ended by itself, rather than being too slow."""


class SupervisedProcess:
    """Keeps one process running until it is told to stop."""

    def __init__(self, *, spec: ProcessSpec, tell: Tell) -> None:
        self.spec = spec
        self._tell = tell
        self._process: Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts it, waits until it is ready, and watches it from then on.

        Raises:
            ProcessFailedError: it ended or was not ready in time; the message has its last words.
        """
        _rotate(self.spec.log_path)
        process = await self._spawn()
        try:
            await self._await_ready(process)
        except BaseException:
            await self.stop()
            raise
        self._watcher = asyncio.create_task(self._watch(process), name=f"watch {self.spec.name}")

    async def stop(self) -> None:
        """Ends it, gently first; does nothing when it is not running."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
            self._watcher = None
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._tell(f"{self.spec.name} did not stop within {STOP_SECONDS:.0f} s and was killed")
            process.kill()
            await process.wait()

    async def _spawn(self) -> Process:
        command = (str(_LAUNCHER), str(os.getpid()), sys.executable, "-P", "-m", self.spec.module)
        with self.spec.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", *command,
                stdin=DEVNULL, stdout=log, stderr=log, cwd="/",
                env=dict(self.spec.environment),
                start_new_session=True,  # a Ctrl-C in the terminal is ours to pass on, in order
            )  # fmt: skip
        return self._process

    async def _await_ready(self, process: Process) -> None:
        name = self.spec.name
        deadline = time.monotonic() + START_SECONDS
        while process.returncode is None and time.monotonic() < deadline:
            if await self.spec.is_ready():
                return
            await asyncio.sleep(_ASK_EVERY_SECONDS)
        exited = process.returncode is not None
        how = _how_it_ended(process) if exited else f"was not ready within {START_SECONDS:.0f} s"
        raise ProcessFailedError(
            f"{name} {how}. The end of {self.spec.log_path}:\n{tail(self.spec.log_path)}",
            exited=exited,
        )

    async def _watch(self, process: Process) -> None:
        backoff = 0.0
        while True:
            started = time.monotonic()
            await process.wait()
            if time.monotonic() - started > _LONG_LIVED_SECONDS:
                backoff = 0.0
            self._tell(f"{self.spec.name} {_how_it_ended(process)}; starting it again")
            await asyncio.sleep(backoff)
            backoff = min(max(backoff * 2, 0.2), _MAX_BACKOFF_SECONDS)
            process = await self._spawn()


def tail(path: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log, for a person."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 16 * 1024))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:]) or "(nothing was logged)"


def _rotate(path: Path) -> None:
    """Keeps one older log, so that a stack that is started often does not fill the disk."""
    if path.exists() and path.stat().st_size > _MAX_LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))


def _how_it_ended(process: Process) -> str:
    code = process.returncode or 0
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by signal {signal.Signals(-code).name}"
