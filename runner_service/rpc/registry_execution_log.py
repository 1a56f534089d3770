"""The execution log, over the registry's RPC."""

from collections.abc import Sequence
from typing import Final

import grpc
from grpc import aio

from runner_service.reporting.finished_execution import FinishedExecution
from runner_service.rpc.conversion import finished_execution
from shared.errors import RegistryUnavailableError
from shared.pb.registry.v1 import execution_log_service_pb2 as pb
from shared.pb.registry.v1 import execution_log_service_pb2_grpc as pb_grpc
from shared.rpc.metadata import call_metadata
from shared.rpc.status import to_error
from shared.tokens.service_token import ServiceTokenSource

_SECONDS: Final = 5.0


class RegistryExecutionLog:
    """An `ExecutionLog` that asks the registry."""

    def __init__(self, *, channel: aio.Channel, tokens: ServiceTokenSource, runner_id: str) -> None:
        self._stub = pb_grpc.ExecutionLogServiceStub(channel)
        self._tokens = tokens
        self._runner_id = runner_id

    async def record(self, executions: Sequence[FinishedExecution]) -> Sequence[int]:
        """Appends them; see `ExecutionLog.record`."""
        request = pb.RecordExecutionsRequest(
            executions=[finished_execution(one, self._runner_id) for one in executions]
        )
        try:
            answer = await self._stub.RecordExecutions(
                request, metadata=call_metadata(token=self._tokens.token()), timeout=_SECONDS
            )
        except grpc.RpcError as error:
            raise to_error(error, RegistryUnavailableError) from None
        return tuple(answer.rejected)
