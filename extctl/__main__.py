"""The entry point of `extctl`: runs the command line and turns every failure into a sentence."""

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from extctl.cli import build_app
from extctl.console import Console
from extctl.failures import CommandError, ExitCode, Failure, explain
from shared.errors import ExtensionError


def main() -> None:
    """Runs `extctl` with the process's arguments and exits."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; returns the exit code."""
    try:
        build_app()(args=list(arguments), prog_name="extctl")
    except SystemExit as ending:  # how typer ends, usage errors included
        return ending.code if isinstance(ending.code, int) else ExitCode.REFUSED
    except (CommandError, ExtensionError) as error:
        failure = explain(error)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # the reader of our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the boundary: no traceback reaches a user
        failure = _bug(error, debug="--debug" in arguments)
    else:
        return ExitCode.OK
    Console(as_json="--json" in arguments).failure(failure)
    return failure.exit_code


def _bug(error: Exception, *, debug: bool) -> Failure:
    if debug:
        traceback.print_exception(error)
    handle, name = tempfile.mkstemp(prefix="extctl-", suffix=".log")
    with os.fdopen(handle, "w") as log:
        traceback.print_exception(error, file=log)
    return Failure(
        reason="INTERNAL",
        message=f"extctl failed: {type(error).__name__}.",
        hint=f"The details are in {Path(name)}; `extctl --debug COMMAND` shows them.",
        exit_code=ExitCode.BUG,
    )


if __name__ == "__main__":
    main()
