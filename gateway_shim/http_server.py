"""The HTTP server: uvicorn, with bounds on the heads of requests that it does not have itself.

A head is what comes before the body: it is bounded in bytes while it is read, and in time from its
first byte; a connection that sends nothing is closed after the same time.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway_shim.problem import problem
from shared.errors import ArgumentInvalidError, ExtensionError, HeadersTooLargeError
from shared.identifiers import new_request_id

MAX_HEAD_BYTES = 16 * 1024
HEAD_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 15
BACKLOG = 1024


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's connection, that gives a head so many bytes and so much time."""

    _in_head = True
    _is_idle = False
    _is_too_long = False
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts waiting for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses, and counts what belongs to a head that is not complete."""
        was_in_head = self._in_head
        super().data_received(data)
        if self._in_head or self._is_idle:
            self._wait()
        if self._in_head and was_in_head:
            # The parser tells of a header when it is whole: one without an end is seen only here.
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self._is_too_long = True
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Starts the request, when its head is within bounds."""
        self._stop_waiting()
        self._in_head = self._is_idle = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            self._is_too_long = True
            raise HeadersTooLargeError  # stops the parser, which then calls `send_400_response`
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            raise ArgumentInvalidError  # stops it likewise
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Waits for the next head, when none is waiting already."""
        self._is_idle = not self.pipeline
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not ours
        """Says what was wrong with the head, and closes."""
        self._stop_waiting()
        error: ExtensionError = ArgumentInvalidError("The request is not well-formed HTTP/1.1.")
        if self._is_too_long:
            error = HeadersTooLargeError()
        answer = problem(error, new_request_id())
        phrase = HTTPStatus(answer.status).phrase.encode("ascii")
        lines = [b"HTTP/1.1 %d %s" % (answer.status, phrase)]
        lines += [name + b": " + value for name, value in answer.headers]
        lines += [b"content-length: %d" % len(answer.body), b"connection: close", b"", b""]
        self.transport.write(b"\r\n".join(lines) + answer.body)
        self.transport.close()

    def _wait(self) -> None:
        if self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the process."""
        yield


@asynccontextmanager
async def http_serving(
    app: ASGIApp, *, address: tuple[str, int], max_connections: int, shutdown_seconds: int
) -> AsyncIterator[int]:
    """Serves until the block ends; then lets running requests finish. Gives the port.

    Raises:
        OSError: the address cannot be bound.
    """
    host = address[0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server(address, family=family, backlog=BACKLOG)
    port: int = listener.getsockname()[1]
    config = uvicorn.Config(
        app,
        http=BoundedHeads,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=max_connections + 1,  # uvicorn refuses the one that reaches it
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=shutdown_seconds,
    )
    server = _Server(config)
    serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    try:
        yield port
    finally:
        server.should_exit = True
        await serving
