"""What the compiler's process gives up before it reads a stranger's bytes.

Compilers have bugs: an input can make one compute for ever, take all memory, or abort. Here that
costs a child process and nothing else.
"""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerLimits:
    """What one compilation may take. The largest engine that is known needs 10 s and 450 MiB."""

    cpu_seconds: int = 60
    data_bytes: int = 1024 * MIB
    """Memory that can be written to. Reserved addresses do not count: wasmtime reserves many."""
    open_files: int = 64


def confine(limits: CompilerLimits, *, parent: int) -> None:
    """Gives up what compiling does not need; dies with `parent` from now on.

    Raises:
        OSError: the kernel refused a part of it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in (
        (_PR_SET_PDEATHSIG, int(signal.SIGKILL)),
        (_PR_SET_NO_NEW_PRIVS, 1),
        (_PR_SET_DUMPABLE, 0),
    ):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl failed")
    if os.getppid() != parent:  # it died before the kernel knew what to do about it
        sys.exit("the parent is gone")
    # the soft limit's signal tells a compilation that took too long from one that was killed
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, hard=limits.cpu_seconds + 5)
    _limit(resource.RLIMIT_DATA, limits.data_bytes)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)  # the result goes into a pipe


def _limit(which: int, value: int, *, hard: int | None = None) -> None:
    """Lowers a limit; one that is lower already stays."""
    _, most = resource.getrlimit(which)
    ceiling = value if hard is None else hard
    if most != resource.RLIM_INFINITY:
        ceiling = min(ceiling, most)
    resource.setrlimit(which, (min(value, ceiling), ceiling))
