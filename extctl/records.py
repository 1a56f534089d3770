"""What the registry tells, as commands show it; `dataclasses.asdict` is the shape of `--json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedBundle:
    """A bundle that the registry stored."""

    content_hash: str
    size_bytes: int
    created: bool
    """False: the same bytes were there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedVersion:
    """A version in the catalogue."""

    registry_id: str
    version_id: str
    version: str
    content_hash: str
    size_bytes: int
    capabilities: tuple[str, ...]
    endpoints: tuple[str, ...]
    """Such as "GET /agreements/:id"."""
    signature: str
    """verified, failed or not_signed."""
    signature_detail: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """One tenant's install."""

    install_id: str
    tenant_id: str
    registry_id: str
    extension: str
    version: str
    content_hash: str
    status: str
    """enabled or disabled."""
    granted_capabilities: tuple[str, ...]
    config_json: str
    revision: int
    grants: tuple[str, ...]
    """Such as "cap:log.emit by ada at 2026-01-01T00:00:00Z"."""
    egress_rules: tuple[str, ...]
    """Such as "GET,POST https://api.example.com"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of a guest, from the execution log."""

    execution_id: str
    request_id: str
    started_at: str
    """ISO 8601, UTC."""
    status: str
    """ok, error, timeout or oom."""
    error: str
    method: str
    path: str
    http_status: int
    duration_us: int
    guest_us: int
    host_calls: int
    denied_host_calls: int
    cold_start: bool
    peak_memory_bytes: int
    runner_id: str
    install_id: str
    content_hash: str
    log_lines: tuple[str, ...]
    """Such as "info: created agreement 7"."""


def as_data(
    record: UploadedBundle | PublishedVersion | Install | Execution,
) -> Mapping[str, object]:
    """The record as `--json` prints it."""
    return asdict(record)
