"""Errors on the wire: `google.rpc.Status` with `ErrorInfo`, and back.

`ErrorInfo.reason` is the identity of an error (AIP-193); its text never is.
"""

from typing import Any

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from shared.errors import (
    DeadlineExceededError,
    ExtensionError,
    Fault,
    InternalError,
)

DOMAIN = "extension-host"


def to_status(error: ExtensionError) -> Any:  # noqa: ANN401 - grpc_status is untyped
    """The gRPC status that tells `error` with its reason, metadata, faults and retry delay."""
    status = status_pb2.Status(code=int(error.code), message=error.message)
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata)
    )
    status.details.add().Pack(info)
    if error.faults:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=fault.path, description=fault.message, reason=fault.code,
                localized_message=error_details_pb2.LocalizedMessage(
                    locale="en", message=fault.hint
                ),
            )
            for fault in error.faults
        ]  # fmt: skip
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after_ms is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(error.retry_after_ms)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return rpc_status.to_status(status)


def to_error(failed: grpc.RpcError, unavailable: type[ExtensionError]) -> ExtensionError:
    """The error that a failed call tells.

    Args:
        failed: what the stub raised.
        unavailable: the error to give when the callee could not be reached or was lost.
    """
    status = _status_of(failed)
    if status is not None:
        details = _Details(status)
        if row := ExtensionError.table().get(details.info.reason):
            return row(
                status.message,
                faults=details.faults,
                retry_after_ms=details.retry_after_ms,
                **dict(details.info.metadata),
            )
    code = failed.code() if isinstance(failed, grpc.aio.AioRpcError) else grpc.StatusCode.UNKNOWN
    if code is grpc.StatusCode.UNAVAILABLE:
        return unavailable()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceededError()
    return InternalError(code=code.name)


def is_from_callee(failed: grpc.RpcError) -> bool:
    """Whether the callee itself answered, with a reason; false when it was lost or unreachable."""
    return _status_of(failed) is not None


class _Details:
    def __init__(self, status: status_pb2.Status) -> None:
        self.info = error_details_pb2.ErrorInfo()
        self.faults: list[Fault] = []
        self.retry_after_ms: int | None = None
        bad_request = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        for detail in status.details:
            if detail.Unpack(bad_request):
                self.faults = [
                    Fault(item.field, item.reason, item.description, item.localized_message.message)
                    for item in bad_request.field_violations
                ]
            elif detail.Unpack(retry):
                self.retry_after_ms = retry.retry_delay.ToMilliseconds()
            else:
                detail.Unpack(self.info)


def _status_of(failed: grpc.RpcError) -> status_pb2.Status | None:
    if not isinstance(failed, grpc.aio.AioRpcError):
        return None
    for key, value in failed.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status()
            status.ParseFromString(value)
            return status
    return None
