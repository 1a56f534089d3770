"""Becomes another command that the kernel kills when this one's parent dies.

Run as a script: `python die_with_parent.py PARENT_PID COMMAND ARGUMENT...`. A step of its own
rather than a `preexec_fn`, because code between fork and exec is not safe in a process with
threads. It imports nothing of the project, so that it costs a few milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Asks for the signal, checks that it is not too late for it, and executes the command."""
    parent, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):  # it died before the kernel knew what to do about it
        sys.exit("the parent is gone")
    os.execv(command[0], command)  # noqa: S606 - the caller's own command, without a shell


if __name__ == "__main__":
    main()
