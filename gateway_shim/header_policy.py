"""Which headers of a request reach the guest: those on a list, within bounds, and no others.

Nothing that says who calls (cookies, tokens, `x-alga-*`, `x-tenant-*`, `x-user-*`, `x-ext-*`) and
nothing that frames the message is on it.
"""

import re
from collections.abc import Sequence

from shared.errors import ArgumentInvalidError

RawHeaders = Sequence[tuple[bytes, bytes]]
"""As ASGI gives them: names in lower case."""

ALLOWED = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"content-type",
        b"if-match",
        b"if-none-match",
        b"user-agent",
        b"x-idempotency-key",
    }
)
MAX_HEADERS = 64
MAX_VALUE_BYTES = 4096
MAX_TOTAL_BYTES = 8192

_VALUE = re.compile(rb"[\t -~]*")


def guest_headers(headers: RawHeaders, request_id: str) -> list[tuple[str, str]]:
    """The headers that the guest sees: the allowed ones, in their order, and `x-request-id`.

    Raises:
        ArgumentInvalidError: there are too many headers, or an allowed one is too long or not
            visible ASCII.
    """
    if len(headers) > MAX_HEADERS:
        raise ArgumentInvalidError(f"The request has more than {MAX_HEADERS} headers.")
    passed = [("x-request-id", request_id)]
    total = 0
    for name, value in headers:
        if name not in ALLOWED:
            continue
        total += len(name) + len(value)
        if len(value) > MAX_VALUE_BYTES or total > MAX_TOTAL_BYTES:
            raise ArgumentInvalidError("The request's headers are too long.")
        if not _VALUE.fullmatch(value):
            raise ArgumentInvalidError(f"The header {name.decode('ascii')} is not visible ASCII.")
        passed.append((name.decode("ascii"), value.decode("ascii")))
    return passed


def values_of(headers: RawHeaders, name: bytes) -> list[bytes]:
    """Every value of the header `name` (lower case), in order."""
    return [value for key, value in headers if key == name]
