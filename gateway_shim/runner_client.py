"""The runners over gRPC: unary calls over one channel that balances between them."""

import asyncio

import grpc
import structlog
from grpc import aio

from gateway_shim.dispatch import GuestResponse, Invocation, Ran, RunnerCallError
from shared.errors import (
    BundleUnavailableError,
    BundleUntrustedError,
    CompilerUnavailableError,
    ComponentInvalidError,
    ContentHashMismatchError,
    DeadlineExceededError,
    ExtensionError,
    GuestOutOfMemoryError,
    GuestResponseInvalidError,
    GuestTimedOutError,
    GuestTrappedError,
    InternalError,
    InvocationGrantInvalidError,
    InvocationGrantRevokedError,
    PayloadTooLargeError,
    RunnerDrainingError,
    RunnerSaturatedError,
    RunnerUnavailableError,
)
from shared.pb.runner.v1 import runner_service_pb2 as pb
from shared.pb.runner.v1 import runner_service_pb2_grpc as rpc
from shared.rpc.metadata import GUEST_STARTED, IDEMPOTENT_METHODS, call_metadata, value_of
from shared.rpc.status import is_from_callee, to_error
from shared.tokens.service_token import ServiceTokenSource

SERVICE = "extension.runner.v1.RunnerService"
AUDIENCE = "runner"
ANSWER_MARGIN_SECONDS = 1.0
"""A runner that ends a guest at its deadline still has this long to say so."""

_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_PASSING = (
    RunnerDrainingError,
    RunnerSaturatedError,
    BundleUnavailableError,
    CompilerUnavailableError,
)
"""Refusals that another runner, or another moment, may not have."""
_TOLD = (
    *_PASSING,
    BundleUntrustedError,
    ComponentInvalidError,
    ContentHashMismatchError,
    DeadlineExceededError,
    InvocationGrantInvalidError,
    InvocationGrantRevokedError,
    PayloadTooLargeError,
    RunnerUnavailableError,
)
"""What a caller of the gateway learns as it is; the rest is between us and the runner."""
_GUEST_FAILURES: dict[str, type[ExtensionError]] = {
    row.reason: row
    for row in (
        GuestTrappedError,
        GuestOutOfMemoryError,
        GuestResponseInvalidError,
        GuestTimedOutError,
    )
}
_log = structlog.get_logger(__name__)


class RunnerClient:
    """`Runners` behind one gRPC channel."""

    def __init__(self, *, channel: aio.Channel, tokens: ServiceTokenSource) -> None:
        self._channel = channel
        self._execute = rpc.RunnerServiceStub(channel).Execute
        self._tokens = tokens

    def is_reachable(self) -> bool:
        """Whether at least one runner is connected and healthy; connects if none is."""
        state = self._channel.get_state(try_to_connect=True)
        return state is grpc.ChannelConnectivity.READY

    async def reach(self, timeout_seconds: float) -> None:
        """Waits until a runner is connected, so that a call that fails is one that was sent.

        Raises:
            RunnerUnavailableError: none came in time.
        """
        if self.is_reachable():
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._channel.channel_ready()
        except TimeoutError:
            raise RunnerUnavailableError(retry_after_ms=1000) from None

    async def execute(self, invocation: Invocation, timeout_seconds: float) -> GuestResponse:
        """Runs the call on one of them; cancelling this cancels the call.

        Raises:
            RunnerCallError: it was refused, or lost.
            ExtensionError: how the guest ended instead of answering.
        """
        message = _message(invocation, timeout_seconds)
        metadata = call_metadata(token=self._tokens.token(), request_id=invocation.request_id)
        timeout = timeout_seconds + ANSWER_MARGIN_SECONDS
        try:
            answer = await self._execute(message, metadata=metadata, timeout=timeout)
        except aio.AioRpcError as failed:
            raise _failure(failed, invocation.request.method) from None
        return _response(answer)


def _message(invocation: Invocation, timeout_seconds: float) -> pb.ExecuteRequest:
    install, request, caller = invocation.install, invocation.request, invocation.caller
    message = pb.ExecuteRequest(
        invocation_grant=install.invocation_grant,
        request_id=invocation.request_id,
        config_json=install.config_json,
        timeout_ms=max(1, int(timeout_seconds * 1000)),
    )
    http = message.http
    http.method = request.method
    http.url = request.url
    for name, value in request.headers:
        http.headers.add(name=name, value=value)
    if request.body is not None:
        http.body = request.body
    user = message.user
    user.user_id = caller.user_id
    user.user_email = caller.user_email
    user.user_name = caller.user_name
    user.user_type = caller.user_type
    user.client_name = caller.client_name
    if caller.client_id:
        user.client_id = caller.client_id
    return message


def _response(answer: pb.ExecuteResponse) -> GuestResponse:
    if answer.HasField("http"):
        http = answer.http
        return GuestResponse(
            status=http.status,
            headers=[(header.name, header.value) for header in http.headers],
            body=http.body if http.HasField("body") else None,
        )
    row = _GUEST_FAILURES.get(answer.failure.reason)
    if row is None:
        _log.error("a runner's result has neither an answer nor a known failure")
        raise InternalError
    raise row(answer.failure.detail)


def _failure(failed: aio.AioRpcError, method: str) -> RunnerCallError:
    error = to_error(failed, RunnerUnavailableError)
    if is_from_callee(failed):
        ran, may_repeat = Ran.NO, isinstance(error, _PASSING)
    else:
        ran, may_repeat = _ran(failed, method), failed.code() in _LOST
        if may_repeat:
            error = RunnerUnavailableError(retry_after_ms=1000)
    if not isinstance(error, _TOLD):
        _log.error("a runner refused the gateway", reason=error.reason, code=failed.code().name)
        error = InternalError()
    return RunnerCallError(error, ran, may_repeat=may_repeat)


def _ran(lost: aio.AioRpcError, method: str) -> Ran:
    """Whether a call ran whose runner was lost: it says so before it starts what must not repeat.

    As gRPC's own retries have it (gRFC A6), a call is committed once response headers arrived.
    """
    if method in IDEMPOTENT_METHODS or value_of(lost.initial_metadata(), GUEST_STARTED):
        return Ran.PERHAPS
    return Ran.NO
