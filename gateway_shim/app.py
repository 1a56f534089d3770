"""The HTTP surface: calls of extensions, and what an operator asks of the process."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway_shim.invoke import request_id_of
from gateway_shim.metrics import GatewayMetrics
from gateway_shim.normalize import PREFIX
from gateway_shim.problem import problem
from gateway_shim.readiness import Readiness
from shared.clock import Clock
from shared.errors import (
    EndpointNotFoundError,
    ExtensionError,
    InternalError,
    MethodNotAllowedError,
)

Probe = Callable[[Request], Awaitable[Response]]

_NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_log = structlog.get_logger(__name__)


class InvokeRoute(BaseRoute):
    """Sends `/api/ext/` to the call of extensions, by the bytes of the path.

    Starlette's own routes match a path that a server has decoded leniently; this one leaves the
    reading of the path to `normalize`, and costs a prefix comparison.
    """

    def __init__(self, invoke: ASGIApp) -> None:
        self._invoke = invoke

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Matches every method; which are allowed is the extension's to say."""
        is_call = scope["type"] == "http" and scope["raw_path"].startswith(PREFIX)
        return (Match.FULL if is_call else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """There is no address by name."""
        raise NoMatchFound(name, dict(path_params))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers."""
        await self._invoke(scope, receive, send)


def gateway_app(
    *,
    invoke: ASGIApp,
    readiness: Readiness,
    metrics: GatewayMetrics,
    shown_metrics: CollectorRegistry,
    clock: Clock,
) -> Starlette:
    """Puts the surface together."""

    def counted(answer: Probe) -> Probe:
        async def call(request: Request) -> Response:
            started = clock.monotonic()
            response = await answer(request)
            metrics.answered("probe", response.status_code, "", clock.monotonic() - started)
            return response

        return call

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    async def readyz(_request: Request) -> Response:
        checks = await readiness.checks()
        is_ready = all(checks.values())
        body = {
            "status": "ready" if is_ready else "not_ready",
            "checks": {name: "ok" if good else "failed" for name, good in checks.items()},
        }
        return JSONResponse(body, status_code=200 if is_ready else 503, headers=_NO_STORE)

    async def show_metrics(_request: Request) -> Response:
        # Rendering takes milliseconds: off the loop that answers calls.
        text = await asyncio.to_thread(generate_latest, shown_metrics)
        return Response(text, media_type=CONTENT_TYPE_LATEST, headers=_NO_STORE)

    app = Starlette(
        routes=[
            InvokeRoute(invoke),
            Route("/healthz", counted(healthz), methods=["GET"]),
            Route("/readyz", counted(readyz), methods=["GET"]),
            Route("/metrics", counted(show_metrics), methods=["GET"]),
        ],
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )
    app.router.redirect_slashes = False  # it would send callers where their Host header says
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """A path or method that the gateway itself does not have."""
    headers = error.headers if isinstance(error, HTTPException) else None
    if headers and "Allow" in headers:
        allow = ", ".join(sorted(headers["Allow"].split(", ")))
        return _told(request, MethodNotAllowedError(allow=allow))
    return _told(request, EndpointNotFoundError("The gateway serves nothing at this path."))


async def _failed(request: Request, error: Exception) -> Response:
    _log.error("request failed", exc_info=error)
    return _told(request, InternalError())


def _told(request: Request, error: ExtensionError) -> Response:
    answer = problem(error, request_id_of(request.scope["headers"]))
    response = Response(answer.body, status_code=answer.status)
    response.raw_headers = [
        *answer.headers,
        (b"content-length", b"%d" % len(answer.body)),
    ]
    return response
