"""`DIR/stack.json`: where the parts of a running stack are, and which keys to use with them.

`extctl up` writes it when everything is ready and removes it when it stops. One written by hand
(without `pid`) points the other commands at a stack that runs elsewhere.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from extctl.failures import CommandError, ExitCode
from extctl.files import replace_private_file

STACK_FILE: Final = "stack.json"
LOCK_FILE: Final = "lock"
FORMAT: Final = 1
_MAX_BYTES: Final = 256 * 1024


class StackFile(BaseModel):
    """What the commands need to know of a stack."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    pid: int | None = None
    """The process that runs the stack; None when extctl did not start it."""
    gateway_url: str = Field(pattern=r"^https?://[^/\s]+$")
    registry_target: str = Field(min_length=1)
    runner_targets: tuple[str, ...] = ()
    metrics_urls: dict[str, str] = Field(default_factory=dict)
    bundle_store_url: str = ""
    operator_key_file: Path
    trust_bundle_file: Path
    publisher_key_file: Path | None = None
    token_issuer: str = ""
    token_audience: str = ""
    token_key_file: Path | None = None
    log_dir: Path | None = None


def write_stack_file(directory: Path, stack: StackFile) -> None:
    """Writes it in one step, readable by its owner only."""
    content = stack.model_dump_json(indent=2) + "\n"
    replace_private_file(directory / STACK_FILE, content.encode())


def read_stack_file(directory: Path) -> StackFile:
    """Reads the stack file of a stack that is running.

    Raises:
        CommandError: there is none, it is damaged, or what it describes has stopped.
    """
    path = directory / STACK_FILE
    start_it = f"Start one with `extctl up --data {directory}`, or name another with --stack."
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise CommandError(f"{path} is too large to be a stack file.", hint=start_it)
        stack = StackFile.model_validate_json(content)
    except (FileNotFoundError, NotADirectoryError):
        raise CommandError(
            f"No stack is running in {directory}.", hint=start_it, exit_code=ExitCode.UNREACHABLE
        ) from None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise CommandError(
            f"{path} is not a stack file: {faults}.", hint=f"Remove it. {start_it}"
        ) from None
    if stack.format != FORMAT:
        raise CommandError(
            f"{path} has format {stack.format}; this extctl reads format {FORMAT}.",
            hint="Use the extctl that started the stack, or start it again with this one.",
        )
    if stack.pid is not None and not is_locked(directory):
        raise CommandError(
            f"The stack of {directory} was killed: its file is there, its process is not.",
            hint=start_it,
            exit_code=ExitCode.UNREACHABLE,
        )
    return stack


@contextmanager
def stack_lock(directory: Path) -> Iterator[None]:
    """Holds the directory for one running stack; the kernel lets go of it when we die.

    Raises:
        CommandError: a stack runs there already.
    """
    handle = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"A stack is already running in {directory}.",
                hint="Use it, stop it with Ctrl-C where it runs, or choose another --data.",
            ) from None
        yield
    finally:
        os.close(handle)


def is_locked(directory: Path) -> bool:
    """Whether a process runs a stack in `directory`."""
    try:
        handle = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # LOCK_SH: two who ask at the same time do not see each other
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
