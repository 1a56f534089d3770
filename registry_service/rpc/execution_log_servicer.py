"""ExecutionLogService on the wire."""

from typing import Any, TypeAlias

from grpc import aio

from registry_service.catalog.reference import ExtensionReference
from registry_service.ledger.executions import Executions
from registry_service.ledger.model import ExecutionFilter
from registry_service.rpc.conversion import tenant_of
from registry_service.rpc.execution_conversion import execution_message, report_of, status_of
from shared.pb.registry.v1 import execution_log_service_pb2 as pb
from shared.pb.registry.v1 import execution_log_service_pb2_grpc as pb_grpc

Context: TypeAlias = aio.ServicerContext[Any, Any]


class ExecutionLogServicer(pb_grpc.ExecutionLogServiceServicer):
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(self, *, executions: Executions) -> None:
        self._executions = executions

    async def RecordExecutions(
        self, request: pb.RecordExecutionsRequest, context: Context
    ) -> pb.RecordExecutionsResponse:
        """Appends finished executions."""
        rejected = await self._executions.record([report_of(each) for each in request.executions])
        return pb.RecordExecutionsResponse(
            recorded=len(request.executions) - len(rejected), rejected=rejected
        )

    async def ListExecutions(
        self, request: pb.ListExecutionsRequest, context: Context
    ) -> pb.ListExecutionsResponse:
        """Lists a tenant's executions."""
        extension = ExtensionReference.parse(request.extension) if request.extension else None
        executions, token = await self._executions.list_executions(
            tenant_of(request.tenant_id),
            ExecutionFilter(extension, request.request_id, status_of(request.status)),
            page_size=request.page_size,
            token=request.page_token,
        )
        return pb.ListExecutionsResponse(
            executions=[execution_message(each) for each in executions], next_page_token=token
        )
