"""What every RPC passes through, from the outside in: telemetry, errors, identity.

They are one interceptor, because each one costs a layer of coroutines per call, in this order:
nothing is counted that was not timed, no failure leaves without a reason, and no servicer runs for
a caller that may not call it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
import structlog
from grpc import aio

from shared.clock import Clock
from shared.errors import ExtensionError, ForbiddenError, InternalError, UnauthenticatedError
from shared.identifiers import is_request_id
from shared.rpc.metadata import REQUEST_ID, bearer_token_of, current_request_id, value_of
from shared.rpc.status import to_status
from shared.telemetry.metrics import RpcMetrics
from shared.tokens.service_token import ServiceRole, ServiceTokenVerifier

Roles = Mapping[str, frozenset[ServiceRole]]
"""Who may call what: by full method (`/pkg.Service/Method`) or by service (`pkg.Service`)."""

OPEN_SERVICES = ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")

_log = structlog.get_logger(__name__)


class ServerInterceptor(aio.ServerInterceptor):
    """Telemetry, errors and identity around every servicer."""

    def __init__(
        self, *, verifier: ServiceTokenVerifier, roles: Roles, metrics: RpcMetrics, clock: Clock
    ) -> None:
        self._verifier = verifier
        self._roles = roles
        self._metrics = metrics
        self._clock = clock
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:  # noqa: ANN401 - grpc types handlers by their messages, which differ per method
        """Wraps the handler of a method, once; unknown methods stay unknown."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None or method.split("/")[1] in OPEN_SERVICES:
                return handler
            wrapped = self._wrapped[method] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: Any) -> Any:  # noqa: ANN401 - as above
        call = self._streaming if handler.response_streaming else self._unary
        kind = "_".join(
            "stream" if streaming else "unary"
            for streaming in (handler.request_streaming, handler.response_streaming)
        )
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(
            call(method, getattr(handler, kind)),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _unary(self, method: str, inner: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        allowed = self._allowed(method)

        async def call(request: object, context: aio.ServicerContext[Any, Any]) -> object:
            started = self._enter(context)
            code = "CANCELLED"
            try:
                self._admit(context, allowed)
                answer = await inner(request, context)
            except Exception as error:  # noqa: BLE001 - the boundary: everything gets a reason
                told = self._told(method, error)
                code = told.code.name
                await context.abort_with_status(to_status(told))
            else:
                code = "OK"
                return answer
            finally:
                self._metrics.observe(method, code, self._clock.monotonic() - started)

        return call

    def _streaming(
        self, method: str, inner: Callable[..., AsyncIterator[Any]]
    ) -> Callable[..., Any]:
        allowed = self._allowed(method)

        async def call(
            request: object, context: aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[object]:
            started = self._enter(context)
            code = "CANCELLED"
            try:
                self._admit(context, allowed)
                async for message in inner(request, context):
                    yield message
                code = "OK"
            except Exception as error:  # noqa: BLE001 - the boundary: everything gets a reason
                told = self._told(method, error)
                code = told.code.name
                await context.abort_with_status(to_status(told))
            finally:
                self._metrics.observe(method, code, self._clock.monotonic() - started)

        return call

    def _allowed(self, method: str) -> frozenset[ServiceRole]:
        service = method.split("/")[1]
        return self._roles.get(method, self._roles.get(service, frozenset()))

    def _enter(self, context: aio.ServicerContext[Any, Any]) -> float:
        request_id = value_of(context.invocation_metadata(), REQUEST_ID)
        current_request_id.set(request_id if is_request_id(request_id) else "")
        return self._clock.monotonic()

    def _admit(
        self, context: aio.ServicerContext[Any, Any], allowed: frozenset[ServiceRole]
    ) -> None:
        token = bearer_token_of(context.invocation_metadata())
        if not token:
            raise UnauthenticatedError("The call carries no service token.")
        role = self._verifier.role_of(token)
        if role not in allowed:
            raise ForbiddenError(f'The service role "{role}" may not call this.')

    def _told(self, method: str, error: Exception) -> ExtensionError:
        if isinstance(error, ExtensionError):
            return error
        if isinstance(error, aio.AbortError):
            raise error
        _log.error("rpc failed", method=method, exc_info=error)
        return InternalError()
