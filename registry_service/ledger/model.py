"""What ran, for whom, how it ended and what it used."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from registry_service.catalog.reference import ExtensionReference
from shared.identifiers import (
    ContentHash,
    ExecutionId,
    InstallId,
    RegistryId,
    TenantId,
    VersionId,
)


class ExecutionStatus(StrEnum):
    """The `status` column."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    OOM = "oom"


class LogLevel(StrEnum):
    """How important a guest thinks its line is."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogLine:
    """What a guest logged."""

    level: LogLevel
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionMetrics:
    """What an execution used; the names are the keys of the `metrics` column."""

    duration_us: int = 0
    guest_us: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    http_status: int = 0
    host_calls: int = 0
    denied_host_calls: int = 0
    cold_start: bool = False
    peak_memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a runner says about one execution; for whom it ran is said by the grant."""

    execution_id: str
    invocation_grant: str
    request_id: str
    started_at: datetime
    finished_at: datetime
    status: ExecutionStatus | None
    """None: not said."""
    error: str
    method: str
    path: str
    runner_id: str
    metrics: ExecutionMetrics
    log_lines: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A row of the log."""

    execution_id: ExecutionId
    tenant_id: TenantId
    registry_id: RegistryId
    version_id: VersionId
    install_id: InstallId
    content_hash: ContentHash
    request_id: str
    started_at: datetime
    finished_at: datetime
    status: ExecutionStatus
    error: str
    method: str
    path: str
    runner_id: str
    metrics: ExecutionMetrics
    log_lines: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions to list; empty fields filter nothing."""

    extension: ExtensionReference | None = None
    request_id: str = ""
    status: ExecutionStatus | None = None


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place in the order newest first."""

    started_at: datetime
    execution_id: ExecutionId
