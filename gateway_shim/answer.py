"""A whole HTTP response, ready to be sent, and the ASGI types that carry it."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import Send

Headers = list[tuple[bytes, bytes]]
_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body; `content-length` is added when it is sent."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    async def send(self, send: Send, *, is_last: bool = True) -> None:
        """Sends it; the server leaves the body out when the request was a HEAD.

        Args:
            send: the request's.
            is_last: whether the request is over then; if not, the caller ends it.
        """
        headers = list(self.headers)
        if self.status not in _WITHOUT_BODY:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        body = b"" if self.status in _WITHOUT_BODY else self.body
        await send({"type": "http.response.body", "body": body, "more_body": not is_last})
