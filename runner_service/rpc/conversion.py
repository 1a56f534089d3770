"""Proto to domain and back: sizes first, then shape. No decisions."""

import re
from dataclasses import dataclass
from typing import Final

from runner_service.abi.values import GuestResponse, Headers
from runner_service.guest_log import Level
from runner_service.invocation import Call, Execution, GuestFailure, Usage, User
from runner_service.reporting.finished_execution import ExecutionStatus, FinishedExecution
from shared.errors import ArgumentInvalidError, PayloadTooLargeError
from shared.identifiers import is_request_id, new_request_id
from shared.pb.registry.v1 import execution_log_service_pb2 as log_pb
from shared.pb.runner.v1 import runner_service_pb2 as pb
from shared.pb.type.v1 import http_pb2

MAX_CONFIG_BYTES: Final = 64 * 1024
MAX_URL_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_USER_FIELD: Final = 1024

_METHOD = re.compile(r"[A-Z]{1,16}", re.ASCII)
_URL = re.compile(r"/[\x21-\x7e]*", re.ASCII)

_STATUS: Final = {
    ExecutionStatus.OK: log_pb.EXECUTION_STATUS_OK,
    ExecutionStatus.ERROR: log_pb.EXECUTION_STATUS_ERROR,
    ExecutionStatus.TIMEOUT: log_pb.EXECUTION_STATUS_TIMEOUT,
    ExecutionStatus.OOM: log_pb.EXECUTION_STATUS_OOM,
}
_LEVEL: Final = {
    Level.INFO: log_pb.LogLine.LEVEL_INFO,
    Level.WARN: log_pb.LogLine.LEVEL_WARN,
    Level.ERROR: log_pb.LogLine.LEVEL_ERROR,
}


@dataclass(frozen=True, slots=True)
class CallReader:
    """Reads calls off the wire."""

    max_body_bytes: int

    def read(self, request: pb.ExecuteRequest) -> Call:
        """The call that a request asks for.

        Raises:
            PayloadTooLargeError: its body is larger than the limit.
            ArgumentInvalidError: another field is too large, or not what it must be.
        """
        http = request.http
        if len(http.body) > self.max_body_bytes:
            raise PayloadTooLargeError(f"The body is larger than {self.max_body_bytes} bytes.")
        if len(request.config_json.encode()) > MAX_CONFIG_BYTES:
            raise _invalid("config_json", f"must be at most {MAX_CONFIG_BYTES} bytes")
        if not _METHOD.fullmatch(http.method):
            raise _invalid("http.method", "must be 1 to 16 letters A-Z")
        if len(http.url) > MAX_URL_BYTES or not _URL.fullmatch(http.url):
            raise _invalid("http.url", 'must start with "/" and be printable ASCII, at most 16 KiB')
        return Call(
            invocation_grant=request.invocation_grant,
            request_id=(
                request.request_id if is_request_id(request.request_id) else new_request_id()
            ),
            method=http.method,
            url=http.url,
            headers=_headers(http),
            body=http.body if http.HasField("body") else None,
            config_json=request.config_json,
            user=_user(request.user) if request.HasField("user") else None,
            timeout_ms=request.timeout_ms,
        )


def execute_response(execution: Execution) -> pb.ExecuteResponse:
    """The answer that tells how an execution ended."""
    response = pb.ExecuteResponse(
        usage=_usage(execution.usage), execution_id=str(execution.execution_id)
    )
    match execution.result:
        case GuestFailure(reason=reason, detail=detail):
            response.failure.reason, response.failure.detail = reason, detail
        case GuestResponse() as guest:
            response.http.status = guest.status
            response.http.headers.extend(
                http_pb2.HttpHeader(name=name, value=value) for name, value in guest.headers
            )
            if guest.body is not None:
                response.http.body = guest.body
    return response


def finished_execution(execution: FinishedExecution, runner_id: str) -> log_pb.FinishedExecution:
    """What the execution log is told."""
    usage = execution.usage
    message = log_pb.FinishedExecution(
        execution_id=str(execution.execution_id),
        invocation_grant=execution.invocation_grant,
        request_id=execution.request_id,
        status=_STATUS[execution.status],
        error=execution.error,
        method=execution.method,
        path=execution.path,
        metrics=log_pb.ExecutionMetrics(
            duration_us=usage.duration_us,
            guest_us=usage.guest_us,
            request_bytes=execution.request_bytes,
            response_bytes=execution.response_bytes,
            http_status=execution.http_status,
            host_calls=usage.host_calls,
            denied_host_calls=usage.denied_host_calls,
            cold_start=usage.cold_start,
            peak_memory_bytes=usage.peak_memory_bytes,
        ),
        runner_id=runner_id,
        log_lines=[
            log_pb.LogLine(level=_LEVEL[line.level], message=line.message)
            for line in execution.log_lines
        ],
    )
    message.started_at.FromDatetime(execution.started_at)
    message.finished_at.FromDatetime(execution.finished_at)
    return message


def _headers(http: http_pb2.HttpRequest) -> Headers:
    headers = tuple((header.name, header.value) for header in http.headers)
    if len(headers) > MAX_HEADERS:
        raise _invalid("http.headers", f"must be at most {MAX_HEADERS}")
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        raise _invalid("http.headers", f"must be at most {MAX_HEADER_BYTES} bytes in all")
    return headers


def _user(user: pb.User) -> User:
    fields = (
        user.user_id, user.user_email, user.user_name, user.user_type, user.client_name,
        user.client_id,
    )  # fmt: skip
    if any(len(field) > MAX_USER_FIELD for field in fields):
        raise _invalid("user", f"must have fields of at most {MAX_USER_FIELD} characters")
    return User(
        user_id=user.user_id,
        email=user.user_email,
        name=user.user_name,
        kind=user.user_type,
        client_name=user.client_name,
        client_id=user.client_id if user.HasField("client_id") else None,
    )


def _usage(usage: Usage) -> pb.Usage:
    return pb.Usage(
        duration_us=usage.duration_us,
        guest_us=usage.guest_us,
        host_calls=usage.host_calls,
        denied_host_calls=usage.denied_host_calls,
        cold_start=usage.cold_start,
        peak_memory_bytes=usage.peak_memory_bytes,
    )


def _invalid(field: str, rule: str) -> ArgumentInvalidError:
    return ArgumentInvalidError(f"{field} {rule}.", what=field)
