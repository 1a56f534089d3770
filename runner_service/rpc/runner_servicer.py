"""RunnerService on the wire."""

from typing import Final

from grpc import aio

from runner_service.drain import Drain
from runner_service.execution import Executions
from runner_service.rpc.conversion import CallReader, execute_response
from shared.pb.runner.v1 import runner_service_pb2 as pb
from shared.pb.runner.v1 import runner_service_pb2_grpc as pb_grpc
from shared.rpc.interceptors import Roles
from shared.rpc.metadata import GUEST_STARTED, IDEMPOTENT_METHODS, current_request_id
from shared.tokens.service_token import ServiceRole

SERVICE: Final = "extension.runner.v1.RunnerService"
AUDIENCE: Final = "runner"
ROLES: Final[Roles] = {
    f"/{SERVICE}/Execute": frozenset({ServiceRole.GATEWAY}),
    f"/{SERVICE}/Warm": frozenset({ServiceRole.GATEWAY, ServiceRole.OPERATOR}),
    f"/{SERVICE}/Drain": frozenset({ServiceRole.OPERATOR}),
}


class RunnerServicer(pb_grpc.RunnerServiceServicer):
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(self, *, executions: Executions, drain: Drain, reader: CallReader) -> None:
        self._executions = executions
        self._drain = drain
        self._reader = reader

    async def Execute(
        self,
        request: pb.ExecuteRequest,
        context: aio.ServicerContext[pb.ExecuteRequest, pb.ExecuteResponse],
    ) -> pb.ExecuteResponse:
        """Runs one request in a fresh instance."""
        call = self._reader.read(request)
        current_request_id.set(call.request_id)

        async def starting() -> None:
            if call.method not in IDEMPOTENT_METHODS:
                await context.send_initial_metadata(((GUEST_STARTED, "1"),))

        execution = await self._executions.execute(
            call, seconds_left=context.time_remaining(), starting=starting
        )
        return execute_response(execution)

    async def Warm(
        self,
        request: pb.WarmRequest,
        context: aio.ServicerContext[pb.WarmRequest, pb.WarmResponse],
    ) -> pb.WarmResponse:
        """Makes a component ready."""
        return pb.WarmResponse(loaded=await self._executions.warm(request.invocation_grant))

    async def Drain(
        self,
        request: pb.DrainRequest,
        context: aio.ServicerContext[pb.DrainRequest, pb.DrainResponse],
    ) -> pb.DrainResponse:
        """Takes the runner out of service."""
        return pb.DrainResponse(in_flight=await self._drain.start())
