"""Messages of the execution log, to and from the domain's words. No decisions."""

from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from registry_service.ledger.model import (
    Execution,
    ExecutionMetrics,
    ExecutionStatus,
    LogLevel,
    LogLine,
    Report,
)
from registry_service.rpc.conversion import timestamp_of
from shared.pb.registry.v1 import execution_log_service_pb2 as pb

_STATUSES: Final = {
    pb.EXECUTION_STATUS_OK: ExecutionStatus.OK,
    pb.EXECUTION_STATUS_ERROR: ExecutionStatus.ERROR,
    pb.EXECUTION_STATUS_TIMEOUT: ExecutionStatus.TIMEOUT,
    pb.EXECUTION_STATUS_OOM: ExecutionStatus.OOM,
}
_STATUS_NUMBERS: Final = {status: number for number, status in _STATUSES.items()}
_LEVELS: Final = {
    pb.LogLine.LEVEL_INFO: LogLevel.INFO,
    pb.LogLine.LEVEL_WARN: LogLevel.WARN,
    pb.LogLine.LEVEL_ERROR: LogLevel.ERROR,
}
_LEVEL_NUMBERS: Final = {level: number for number, level in _LEVELS.items()}
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def status_of(number: pb.ExecutionStatus.ValueType) -> ExecutionStatus | None:
    """A status; None when it is unspecified or unknown."""
    return _STATUSES.get(number)


def report_of(message: pb.FinishedExecution) -> Report:
    """What a runner says about one execution."""
    said = message.metrics
    return Report(
        execution_id=message.execution_id,
        invocation_grant=message.invocation_grant,
        request_id=message.request_id,
        started_at=_moment(message.started_at),
        finished_at=_moment(message.finished_at),
        status=status_of(message.status),
        error=message.error,
        method=message.method,
        path=message.path,
        runner_id=message.runner_id,
        metrics=ExecutionMetrics(
            duration_us=said.duration_us,
            guest_us=said.guest_us,
            request_bytes=said.request_bytes,
            response_bytes=said.response_bytes,
            http_status=said.http_status,
            host_calls=said.host_calls,
            denied_host_calls=said.denied_host_calls,
            cold_start=said.cold_start,
            peak_memory_bytes=said.peak_memory_bytes,
        ),
        log_lines=tuple(
            LogLine(_LEVELS.get(line.level, LogLevel.INFO), line.message)
            for line in message.log_lines
        ),
    )


def execution_message(execution: Execution) -> pb.Execution:
    """A row of the log."""
    used = execution.metrics
    return pb.Execution(
        execution_id=str(execution.execution_id),
        tenant_id=str(execution.tenant_id),
        registry_id=str(execution.registry_id),
        version_id=str(execution.version_id),
        install_id=str(execution.install_id),
        content_hash=execution.content_hash,
        request_id=execution.request_id,
        started_at=timestamp_of(execution.started_at),
        finished_at=timestamp_of(execution.finished_at),
        status=_STATUS_NUMBERS[execution.status],
        error=execution.error,
        method=execution.method,
        path=execution.path,
        runner_id=execution.runner_id,
        metrics=pb.ExecutionMetrics(
            duration_us=used.duration_us,
            guest_us=used.guest_us,
            request_bytes=used.request_bytes,
            response_bytes=used.response_bytes,
            http_status=used.http_status,
            host_calls=used.host_calls,
            denied_host_calls=used.denied_host_calls,
            cold_start=used.cold_start,
            peak_memory_bytes=used.peak_memory_bytes,
        ),
        log_lines=[
            pb.LogLine(level=_LEVEL_NUMBERS[line.level], message=line.message)
            for line in execution.log_lines
        ],
    )


def _moment(message: Timestamp) -> datetime:
    """The moment; one that no calendar has becomes one that no execution can have."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return _NEVER
