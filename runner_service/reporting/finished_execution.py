"""What the execution log is told about an execution."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runner_service.guest_log import LogLine
from runner_service.invocation import Usage
from shared.errors import ExtensionError, GuestOutOfMemoryError, GuestTimedOutError
from shared.identifiers import ExecutionId


class ExecutionStatus(StrEnum):
    """How an execution ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    OOM = "oom"

    @classmethod
    def of_failure(cls, failure: ExtensionError) -> "ExecutionStatus":
        """The status that stands for a failure."""
        match failure:
            case GuestTimedOutError():
                return cls.TIMEOUT
            case GuestOutOfMemoryError():
                return cls.OOM
            case _:
                return cls.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedExecution:
    """One execution that is over. Tenant, install and version are what the grant says."""

    execution_id: ExecutionId
    invocation_grant: str
    request_id: str
    started_at: datetime
    finished_at: datetime
    status: ExecutionStatus
    error: str
    """The reason of a failure, such as GUEST_TRAPPED; empty when ok."""
    method: str
    path: str
    """Without the query, which may hold what its user would not have logged."""
    http_status: int
    """What the guest answered; zero when it did not."""
    request_bytes: int
    response_bytes: int
    usage: Usage
    log_lines: tuple[LogLine, ...] = ()

    def size_bytes(self) -> int:
        """Roughly what it weighs in memory and on the wire."""
        lines = sum(len(line.message) + 16 for line in self.log_lines)
        return 512 + len(self.invocation_grant) + len(self.path) + lines
