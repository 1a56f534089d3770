"""Where a secret's value comes from: a file, a pipe or a prompt; never an argument."""

import getpass
import sys
from pathlib import Path
from typing import BinaryIO, Final

from extctl.failures import CommandError, ExitCode
from shared.secret import Secret

MAX_BYTES: Final = 16 * 1024


def read_secret(file: Path | None) -> Secret:
    """The value: of the file to the byte; else piped in, or typed twice without being shown.

    From a pipe, one line end at the end is taken away: `echo` and most programs add it.

    Raises:
        CommandError: it is empty, too large or no UTF-8; or the file cannot be read; or the two
            times are not alike.
    """
    if file is not None:
        try:
            with file.open("rb") as stream:
                return _secret(_bounded(stream))
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
    if not sys.stdin.isatty():
        data = _bounded(sys.stdin.buffer)
        return _secret(data.removesuffix(b"\n").removesuffix(b"\r"))
    typed = getpass.getpass("Secret (not shown): ")
    if typed != getpass.getpass("Once more: "):
        raise CommandError("The two were not alike; nothing was set.", exit_code=ExitCode.USAGE)
    return _secret(typed.encode())


def _bounded(stream: BinaryIO) -> bytes:
    return stream.read(MAX_BYTES + 3)  # a line end more, and a byte to see that it is too much


def _secret(data: bytes) -> Secret:
    if not 0 < len(data) <= MAX_BYTES:
        raise CommandError(
            f"A secret has 1 to {MAX_BYTES} bytes.",
            hint="Pipe it in (`extctl secrets set … < file`), or name a file with --from-file.",
            exit_code=ExitCode.USAGE,
        )
    try:
        return Secret(data.decode())
    except UnicodeDecodeError:
        raise CommandError(
            "The secret is not UTF-8.",
            hint="Encode it first, for example with `base64`.",
            exit_code=ExitCode.USAGE,
        ) from None
