"""Reading the audit log."""

from collections.abc import Sequence
from typing import Final

from registry_service.audit.model import AuditEvent
from registry_service.audit.store import AuditStore
from registry_service.paging import page_size_of, page_token, position_of
from shared.errors import ArgumentInvalidError, PageTokenInvalidError
from shared.identifiers import parse_extension_name, parse_publisher

DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 200
_MAX_NUMBER: Final = 2**63 - 1
_MAX_DIGITS: Final = 19


class Audit:
    """Who changed what in the catalogue."""

    def __init__(self, *, store: AuditStore) -> None:
        self._store = store

    async def list_events(
        self, *, about: str, page_size: int, token: str
    ) -> tuple[Sequence[AuditEvent], str]:
        """One page, newest first, and the token of the next (empty: none).

        Raises:
            ArgumentInvalidError: `about` names neither a publisher nor an extension, or the page
                is too large.
            PageTokenInvalidError: the token is of another listing.
        """
        about = _about(about)
        limit = page_size_of(page_size, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        listing = ("audit", about)
        position = position_of(token, listing, parts=1)
        before = _number(position[0]) if position else None
        found = await self._store.list_events(about=about, before=before, limit=limit + 1)
        page = found[:limit]
        more = len(found) > limit
        return page, page_token(listing, (str(page[-1].number),)) if more else ""


def _about(text: str) -> str:
    if not text:
        return ""
    publisher, dot, name = text.lower().partition(".")
    try:
        parse_publisher(publisher)
        if dot:
            parse_extension_name(name)
    except ArgumentInvalidError:
        raise ArgumentInvalidError(
            'Events are about a publisher, or about "publisher.name".', what="about"
        ) from None
    return text.lower()


def _number(text: str) -> int:
    if len(text) > _MAX_DIGITS or not (text.isascii() and text.isdigit()):
        raise PageTokenInvalidError
    return min(int(text), _MAX_NUMBER)
