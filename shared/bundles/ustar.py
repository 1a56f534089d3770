"""The one form of tar header that a bundle may have: POSIX USTAR, field by field.

Writing gives exactly one header for a path and a size; reading refuses every field that another
reader could understand differently. `tarfile` is not used on purpose: its filters have been
bypassed again and again, and it repairs what should be refused.
"""

import re
import struct
from dataclasses import dataclass
from typing import Final

from shared.bundles.entry_path import shown
from shared.errors import BundleInvalidError

BLOCK_BYTES: Final = 512
ZERO_BLOCK: Final = bytes(BLOCK_BYTES)

_FORMAT = struct.Struct("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12s")
_CHECKSUM: Final = slice(148, 156)
_NAME_BYTES: Final = 100
_PREFIX_BYTES: Final = 155
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_DIRECTORY: Final = b"5"
_SPECIAL_MODE_BITS: Final = 0o7000
_REFUSED_TYPES: Final = {
    b"1": "it is a hard link",
    b"2": "it is a symbolic link",
    b"3": "it is a character device",
    b"4": "it is a block device",
    b"6": "it is a FIFO",
    b"7": "it is a contiguous file",
    b"x": "a PAX header could rename or resize the entry behind it",
    b"g": "a global PAX header could change every entry behind it",
    b"L": "a GNU long-name header could rename the entry behind it",
    b"K": "a GNU long-link header could redirect the entry behind it",
    b"S": "it is a GNU sparse file",
    b"V": "it is a GNU volume header",
    b"M": "it is a GNU multi-volume piece",
}


@dataclass(frozen=True, slots=True)
class Header:
    """What one header says: a directory has no trailing slash and no size."""

    path: str
    size_bytes: int
    is_directory: bool


def write_header(path: str, size_bytes: int) -> bytes:
    """The canonical header of a regular file: mode 0644, no owner, time 0.

    Raises:
        BundleInvalidError: no USTAR header can hold the path (over 100 bytes with no slash that
            leaves at most 155 bytes before and 100 behind it).
    """
    prefix, name = _split(path)
    fields = (
        name.encode("ascii"),
        b"0000644\0",
        b"0000000\0",
        b"0000000\0",
        b"%011o\0" % size_bytes,
        b"00000000000\0",
        b" " * 8,
        b"0",
        b"",
        b"ustar\0",
        b"00",
        b"",
        b"",
        b"0000000\0",
        b"0000000\0",
        prefix.encode("ascii"),
        b"",
    )
    block = bytearray(_FORMAT.pack(*fields))
    block[_CHECKSUM] = b"%06o\0 " % sum(block)
    return bytes(block)


def read_header(block: bytes, *, index: int) -> Header:
    """Reads one 512-byte header; `index` counts the entries, for the message.

    Raises:
        BundleInvalidError: it is not a plain USTAR header of a file or a directory.
    """
    (name, mode, uid, gid, size, mtime, checksum, kind, link, magic, version, _, _, major, minor,
     prefix, padding) = _FORMAT.unpack(block)  # fmt: skip
    where = f"Entry {index} ({shown(name.rstrip(bytes(1)))})"
    if _octal(checksum, "checksum", where) != sum(block) - sum(checksum) + 8 * ord(" "):
        raise BundleInvalidError(f"{where} is refused: the checksum of its header is wrong.")
    _check_kind(kind, where)
    if (magic, version) != (b"ustar\0", b"00") or any(padding):
        raise BundleInvalidError(
            f"{where} is refused: its header is not POSIX USTAR; make the bundle with "
            "`extctl pack` or `tar --format=ustar`."
        )
    if any(link):
        raise BundleInvalidError(f"{where} is refused: it has a link target.")
    if _octal(mode, "mode", where) & _SPECIAL_MODE_BITS:
        raise BundleInvalidError(f"{where} is refused: it is setuid, setgid or sticky.")
    for field, what in ((uid, "uid"), (gid, "gid"), (mtime, "mtime")):
        _octal(field, what, where)
    for field in (major, minor):
        _octal(field if any(field) else b"0", "device number", where)
    path = _text(name, "name", where)
    if any(prefix):
        path = f"{_text(prefix, 'prefix', where)}/{path}"
    size_bytes = _octal(size, "size", where)
    if kind != _DIRECTORY:
        return Header(path, size_bytes, is_directory=False)
    if size_bytes:
        raise BundleInvalidError(f"{where} is refused: it is a directory with a size.")
    return Header(path.removesuffix("/"), 0, is_directory=True)


def _check_kind(kind: bytes, where: str) -> None:
    if kind in _REFUSED_TYPES:
        raise BundleInvalidError(
            f"{where} is refused: {_REFUSED_TYPES[kind]}. A bundle holds plain files only; "
            "make it with `extctl pack` or `tar --format=ustar`."
        )
    if kind not in (b"0", b"\0", _DIRECTORY):
        raise BundleInvalidError(f"{where} is refused: its type {shown(kind)} is unknown.")


def _text(field: bytes, what: str, where: str) -> str:
    text, _, rest = field.partition(b"\0")
    if any(rest):
        raise BundleInvalidError(f"{where} is refused: its {what} has a NUL in the middle.")
    try:
        return text.decode("ascii")
    except UnicodeDecodeError:
        raise BundleInvalidError(f"{where} is refused: its {what} is not ASCII.") from None


def _octal(field: bytes, what: str, where: str) -> int:
    if field[0] & 0x80:
        raise BundleInvalidError(f"{where} is refused: its {what} is a base-256 number.")
    number = _OCTAL.fullmatch(field)
    if number is None:
        raise BundleInvalidError(f"{where} is refused: its {what} is not an octal number.")
    return int(number[1], 8)


def _split(path: str) -> tuple[str, str]:
    """Cuts a path into (prefix, name); the shortest prefix that fits, so that it is canonical."""
    if len(path) <= _NAME_BYTES:
        return "", path
    cut = path.find("/", len(path) - _NAME_BYTES - 1)
    if not 0 < cut <= _PREFIX_BYTES:
        raise BundleInvalidError(
            f"Entry {shown(path)} is refused: its path does not fit a USTAR header; "
            "shorten its file name to 100 bytes."
        )
    return path[:cut], path[cut + 1 :]
