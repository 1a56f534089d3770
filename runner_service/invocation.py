"""One invocation: what was asked, what is allowed, and what it has used so far."""

from collections import Counter
from dataclasses import dataclass, field

from runner_service.abi.values import GuestRequest, GuestResponse, Headers
from runner_service.guest_log import GuestLog
from shared.identifiers import ExecutionId
from shared.tokens.invocation_grant import InvocationGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The person on whose behalf a call is made, as the gateway vouches for them."""

    user_id: str
    email: str
    name: str
    kind: str
    """For example "internal" or "client"."""
    client_name: str
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a caller asks for: sizes and shapes are checked, the grant is not yet."""

    invocation_grant: str
    request_id: str
    method: str
    url: str
    """The path that was matched, with `?query` when there is one."""
    headers: Headers
    body: bytes | None
    config_json: str
    user: User | None
    timeout_ms: int
    """Zero means the runner's default."""


@dataclass(slots=True, kw_only=True)
class Invocation:
    """A call whose grant was verified; capabilities read it and note what they did.

    Only the thread that runs the guest changes it while the guest runs.
    """

    execution_id: ExecutionId
    grant: InvocationGrant
    grant_token: str
    """Shown to the registry with every storage and log call."""
    request: GuestRequest
    config_json: str
    user: User | None
    ends_at: float
    """When its time is up, on the monotonic clock."""
    log: GuestLog = field(default_factory=GuestLog)
    host_calls: int = 0
    denied_calls: Counter[str] = field(default_factory=Counter)
    """Calls that were denied, by the capability that was not granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an execution used."""

    duration_us: int
    guest_us: int
    host_calls: int
    denied_host_calls: int
    cold_start: bool
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFailure:
    """Why the guest gave no answer, in words for its publisher."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How an invocation ended."""

    execution_id: ExecutionId
    result: GuestResponse | GuestFailure
    usage: Usage
