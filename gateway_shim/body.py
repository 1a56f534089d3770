"""A request's body, read within bounds of size and time, and the end of the client's patience."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive

from gateway_shim.header_policy import RawHeaders, values_of
from shared.errors import ArgumentInvalidError, PayloadTooLargeError, RequestTimedOutError

MAX_LENGTH_DIGITS = 15
PATIENCE_SECONDS = 0.02
LINGER_SECONDS = 1.0


class ClientGoneError(Exception):
    """The client closed the connection; there is no one to answer."""


async def read_body(
    receive: Receive, headers: RawHeaders, *, max_bytes: int, timeout_seconds: float
) -> bytes | None:
    """The whole body, or None when the request has none (which is not the same as an empty one).

    Raises:
        PayloadTooLargeError: it is, or says it is, over `max_bytes`; no more than that was read.
        RequestTimedOutError: it did not arrive in time.
        ArgumentInvalidError: its length is not a number.
        ClientGoneError: the client left before its end.
    """
    lengths = values_of(headers, b"content-length")
    if not lengths and not values_of(headers, b"transfer-encoding"):
        return None
    too_large = PayloadTooLargeError(f"The body is larger than {max_bytes} bytes.")
    if lengths:
        length = lengths[0]
        if len(lengths) > 1 or not length.isdigit() or len(length) > MAX_LENGTH_DIGITS:
            raise ArgumentInvalidError("The Content-Length is not one plain number.")
        if int(length) > max_bytes:
            raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > max_bytes:
                    raise too_large
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise RequestTimedOutError from None


async def discard_rest(receive: Receive, *, max_bytes: int) -> None:
    """Reads on for a moment, so that the client gets to see why it should stop sending.

    A socket that is closed over unread bytes is reset, and the answer on it may be lost.
    """
    size = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while size <= max_bytes:
                message = await receive()
                size += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


class CancelledByClient:
    """A block that is cancelled when the client leaves, and then raises `ClientGoneError`.

    Watching costs a task, so it begins only when the block has taken a while.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_gone = False
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Arms the watch; the body must have been read."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be cancelled")
        self._task = task
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PATIENCE_SECONDS, self._begin, loop)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Ends the watch."""
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._is_gone:
            self._task.uncancel()
            if kind is asyncio.CancelledError:
                raise ClientGoneError from None

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watcher = loop.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self._task.cancel()
