"""The story of a call: target, identity, install, endpoint, body, runner, answer.

Nothing is spent on a request before the step that could refuse it, and every step refuses with a
reason.
"""

from dataclasses import dataclass, replace

import structlog
from starlette.types import Receive, Scope, Send

from gateway_shim.answer import Answer
from gateway_shim.body import CancelledByClient, ClientGoneError, discard_rest, read_body
from gateway_shim.dispatch import Dispatcher, GuestRequest, Invocation
from gateway_shim.header_policy import RawHeaders, guest_headers, values_of
from gateway_shim.identity import Identity
from gateway_shim.metrics import GatewayMetrics
from gateway_shim.normalize import parse_method, parse_target
from gateway_shim.problem import problem
from gateway_shim.resolve import Resolver
from gateway_shim.respond import respond
from shared.clock import Clock
from shared.errors import (
    ArgumentInvalidError,
    ExtensionError,
    InternalError,
    InvocationGrantRevokedError,
    PayloadTooLargeError,
    RequestTimedOutError,
)
from shared.identifiers import RequestId, is_request_id, new_request_id
from shared.rpc.metadata import current_request_id

CLIENT_GONE_STATUS = 499
_BODY_LEFT = (PayloadTooLargeError, RequestTimedOutError)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large a body may be, either way, and how long a request's may take."""

    max_bytes: int
    timeout_seconds: float


class Invoke:
    """The ASGI endpoint of `/api/ext/{extension_id}/{path}`."""

    def __init__(
        self,
        *,
        identity: Identity,
        resolver: Resolver,
        dispatcher: Dispatcher,
        limits: BodyLimits,
        clock: Clock,
        metrics: GatewayMetrics,
    ) -> None:
        self._identity = identity
        self._resolver = resolver
        self._dispatcher = dispatcher
        self._limits = limits
        self._clock = clock
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        started = self._clock.monotonic()
        request_id = request_id_of(scope["headers"])
        current_request_id.set(request_id)
        reason = ""
        body_is_left = False
        try:
            answer = await self._answer(scope, receive, request_id)
        except ExtensionError as error:
            answer, reason = problem(error, request_id), error.reason
            body_is_left = isinstance(error, _BODY_LEFT)
        except ClientGoneError:
            self._metrics.answered(
                "invoke", CLIENT_GONE_STATUS, "", self._clock.monotonic() - started
            )
            return
        except Exception as error:  # noqa: BLE001 - the boundary: everything gets an answer
            _log.error("request failed", exc_info=error)
            answer, reason = problem(InternalError(), request_id), InternalError.reason
        self._metrics.answered("invoke", answer.status, reason, self._clock.monotonic() - started)
        await answer.send(send, is_last=not body_is_left)
        if body_is_left:
            await discard_rest(receive, max_bytes=self._limits.max_bytes)
            await send({"type": "http.response.body", "body": b""})

    async def _answer(self, scope: Scope, receive: Receive, request_id: RequestId) -> Answer:
        headers: RawHeaders = scope["headers"]
        method = parse_method(scope["method"])
        target = parse_target(scope["raw_path"], scope["query_string"])
        if len(values_of(headers, b"host")) > 1:
            raise ArgumentInvalidError("The request has more than one Host header.")
        caller = await self._identity.caller_of(headers)
        install = await self._resolver.resolve(caller.tenant_id, target.extension)
        endpoint = install.matcher.match(method, target.path)
        passed = guest_headers(headers, request_id)
        body = await read_body(
            receive,
            headers,
            max_bytes=self._limits.max_bytes,
            timeout_seconds=self._limits.timeout_seconds,
        )
        request = GuestRequest(endpoint.method, target.url, passed, body)
        async with CancelledByClient(receive):
            try:
                response = await self._dispatcher.dispatch(
                    Invocation(request, install, caller, request_id)
                )
            except InvocationGrantRevokedError:
                # it changed since it was resolved, and a runner knew first: no guest has started
                self._resolver.forget_grant(caller.tenant_id, target.extension, install)
                install = await self._resolver.resolve(caller.tenant_id, target.extension)
                endpoint = install.matcher.match(method, target.path)
                request = replace(request, method=endpoint.method)
                response = await self._dispatcher.dispatch(
                    Invocation(request, install, caller, request_id)
                )
        return respond(response, request_id=request_id, max_body_bytes=self._limits.max_bytes)


def request_id_of(headers: RawHeaders) -> RequestId:
    """The client's request id when it gave one that may be used; else a new one."""
    given = values_of(headers, b"x-request-id")
    if len(given) == 1 and is_request_id(text := given[0].decode("latin-1")):
        return RequestId(text)
    return new_request_id()
