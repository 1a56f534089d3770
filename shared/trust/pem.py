"""PEM (RFC 7468), split strictly: every line is a block's, a comment, or a fault.

The usual parsers skip what they do not understand. In a list of whom to trust, what was skipped
may have been the restriction.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import TrustBundleInvalidError

MAX_PEM_BYTES: Final = 1024 * 1024
_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_END = re.compile(r"-----END ([A-Z0-9 ]{1,40})-----")
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/]{1,76}={0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One block: `line` is that of its BEGIN, `notes` are the lines since the block before."""

    label: str
    der: bytes
    line: int
    notes: tuple[str, ...]


def split_pem(data: bytes) -> tuple[list[PemBlock], tuple[str, ...]]:
    """Splits PEM text into its blocks, and the notes behind the last one.

    Blank lines and lines that start with `#` are dropped.

    Raises:
        TrustBundleInvalidError: a block is broken; the message names its line.
    """
    if len(data) > MAX_PEM_BYTES:
        raise TrustBundleInvalidError(f"The PEM file is larger than {MAX_PEM_BYTES} bytes.")
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise TrustBundleInvalidError("The PEM file is not UTF-8.") from None
    blocks: list[PemBlock] = []
    notes: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position].strip()
        position += 1
        begin = _BEGIN.fullmatch(line)
        if begin is not None:
            end = _find_end(lines, position, begin[1])
            der = _decode(lines[position:end], position)
            blocks.append(PemBlock(begin[1], der, position, tuple(notes)))
            notes = []
            position = end + 1
        elif line.startswith("-----"):
            raise _broken(position, "it looks like the border of a block, but is none")
        elif line and not line.startswith("#"):
            notes.append(line)
    return blocks, tuple(notes)


def _find_end(lines: Sequence[str], start: int, label: str) -> int:
    for index in range(start, len(lines)):
        line = lines[index].strip()
        if line.startswith("-----"):
            end = _END.fullmatch(line)
            if end is None or end[1] != label:
                raise _broken(index + 1, f"the {label} block above must end first")
            return index
    raise _broken(start, f"the {label} block does not end")


def _decode(lines: Sequence[str], begin_line: int) -> bytes:
    texts = [line.strip() for line in lines]
    if not texts or not all(_BASE64_LINE.fullmatch(text) for text in texts):
        raise _broken(begin_line, "the block is not lines of base64")
    try:
        der = base64.b64decode("".join(texts), validate=True)
    except binascii.Error:
        raise _broken(begin_line, "the block is not base64") from None
    if base64.b64encode(der).decode("ascii") != "".join(texts):
        raise _broken(begin_line, "the block's base64 has stray bits")
    return der


def _broken(line: int, why: str) -> TrustBundleInvalidError:
    return TrustBundleInvalidError(f"Line {line} of the PEM file: {why}.")
