"""Page tokens: where a listing goes on, bound to the listing that gave them.

A token is no secret and no authority: its position is only ever compared with keys inside a
query that is scoped by the caller's own request. The binding finds mistakes, such as the token of
another filter.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Final

from shared.errors import ArgumentInvalidError, PageTokenInvalidError

_MAX_LENGTH: Final = 4096
_BINDING_LENGTH: Final = 16


def page_token(listing: Sequence[str], position: Sequence[str]) -> str:
    """The token that continues `listing` (its kind, scope and filters) after `position`."""
    text = json.dumps([_binding(listing), *position], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def position_of(token: str, listing: Sequence[str], *, parts: int) -> tuple[str, ...] | None:
    """The position that `token` holds; None for the empty token, which starts a listing.

    Raises:
        PageTokenInvalidError: it was not made by `page_token` for this listing.
    """
    if not token:
        return None
    try:
        if len(token) > _MAX_LENGTH:
            raise PageTokenInvalidError
        padded = token + "=" * (-len(token) % 4)
        value = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise PageTokenInvalidError from None
    if (
        not isinstance(value, list)
        or len(value) != parts + 1
        or not all(isinstance(part, str) and "\0" not in part for part in value)
        or value[0] != _binding(listing)
    ):
        raise PageTokenInvalidError
    return tuple(value[1:])


def page_size_of(asked: int, *, default: int, largest: int) -> int:
    """The number of items to give when `asked` are wanted; 0 means the default.

    Raises:
        ArgumentInvalidError: more than `largest` are asked.
    """
    if asked > largest:
        raise ArgumentInvalidError(f"A page has at most {largest} items.", what="page_size")
    return asked or default


def _binding(listing: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps(list(listing)).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_BINDING_LENGTH]
