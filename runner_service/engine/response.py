"""Reads what `handler` returned, and refuses what is no HTTP response.

Counts and sizes are compared before anything is copied: what a guest returns can be a hundred
times larger in Python than in its own memory.
"""

import string
import struct
from collections.abc import Iterator
from ctypes import string_at
from typing import Final

from runner_service.abi.values import GuestResponse, Headers
from runner_service.engine import layout
from runner_service.engine.decode import LayoutError
from shared.errors import GuestResponseInvalidError

MAX_BODY_BYTES: Final = 10 << 20
MAX_HEADERS: Final = 64
MAX_HEADER_BYTES: Final = 64 << 10

_TOKEN: Final = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")
_QUAD = struct.Struct("<4Q")
_RECORD = struct.Struct("<18Q")  # three entries: status, headers, body
_HEADER = struct.Struct("<12Q")  # two entries: name, value


def read_response(address: int) -> GuestResponse:
    """Reads the `execute-response` at an address.

    Raises:
        GuestResponseInvalidError: it is too large, or no HTTP response.
    """
    kind, count, entries, _ = _QUAD.unpack(string_at(address, _QUAD.size))
    if kind & 0xFF != layout.RECORD or count != 3:  # noqa: PLR2004 - as in _RECORD
        raise LayoutError("handler returned something else than an execute-response")
    words = _RECORD.unpack(string_at(entries, _RECORD.size))
    status = words[3] & 0xFFFF
    if not 200 <= status <= 599:  # noqa: PLR2004 - the range of final HTTP statuses
        raise GuestResponseInvalidError(
            f"the extension answered status {status}, which is not between 200 and 599"
        )
    return GuestResponse(
        status=status,
        headers=_headers(words[9], words[10]),
        body=_body(words[15]) if words[15] else None,
    )


def _headers(count: int, address: int) -> Headers:
    if count > MAX_HEADERS:
        raise GuestResponseInvalidError(
            f"the extension answered {count} headers, more than {MAX_HEADERS}"
        )
    left = MAX_HEADER_BYTES
    headers: list[tuple[str, str]] = []
    for name_size, name_at, value_size, value_at in _header_places(count, address):
        left -= name_size + value_size
        if left < 0:
            raise GuestResponseInvalidError(
                f"the extension's headers are longer than {MAX_HEADER_BYTES} bytes"
            )
        name = string_at(name_at, name_size).decode()
        value = string_at(value_at, value_size).decode()
        _check_header(name, value, index=len(headers))
        headers.append((name, value))
    return tuple(headers)


def _header_places(count: int, address: int) -> Iterator[tuple[int, int, int, int]]:
    if count:
        for _, __, entries, ___ in _QUAD.iter_unpack(string_at(address, count * _QUAD.size)):
            words = _HEADER.unpack(string_at(entries, _HEADER.size))
            yield words[3], words[4], words[9], words[10]


def _check_header(name: str, value: str, *, index: int) -> None:
    # The header itself is not shown: it may be a tenant's data.
    if not name or not _TOKEN.issuperset(name):
        raise GuestResponseInvalidError(
            f"the name of the extension's header {index} is not an HTTP token"
        )
    if value and not (value.isascii() and value.replace("\t", " ").isprintable()):
        raise GuestResponseInvalidError(
            f"the value of the extension's header {index} has characters besides printable ASCII"
        )


def _body(address: int) -> bytes:
    _, count, values, __ = _QUAD.unpack(string_at(address, _QUAD.size))
    if count > MAX_BODY_BYTES:
        raise GuestResponseInvalidError(
            f"the extension answered {count} bytes, more than {MAX_BODY_BYTES}"
        )
    return string_at(values, count * 32)[8::32] if count else b""
