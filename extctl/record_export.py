"""A tenant's records in a file: one JSON object a line, for its owner's eyes only."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from extctl.failures import CommandError
from extctl.files import OWNER_ONLY_FILE


async def write_records(path: Path, records: AsyncIterator[Mapping[str, object]]) -> int:
    """Writes a new file; gives how many records it has. A failure leaves no file.

    Raises:
        CommandError: something is there already, or the file cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        file = os.fdopen(os.open(path, flags, OWNER_ONLY_FILE), "w", encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{path} cannot be made: {error.strerror}.",
            hint="Name a file that is not there yet, in a directory that is.",
        ) from None
    try:
        with file:
            count = 0
            async for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _remove(path)
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
    except BaseException:
        _remove(path)
        raise
    return count


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
