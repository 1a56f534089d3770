"""What travels beside an RPC's message: who calls, for which request, under which grant."""

from collections.abc import Iterable
from contextvars import ContextVar

AUTHORIZATION = "authorization"
REQUEST_ID = "x-request-id"
INVOCATION_GRANT = "x-invocation-grant"
PUBLISHER_PROOF = "x-publisher-proof"
GUEST_STARTED = "x-guest-started"
"""In the response headers of RunnerService.Execute; see its contract."""
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""HTTP methods that mean the same when repeated (RFC 9110, 9.2.2), of those that are served."""

Metadata = tuple[tuple[str, str], ...]
RawMetadata = Iterable[tuple[str, str | bytes]]

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")
"""The request that this task serves; set by the telemetry interceptor and by the gateway."""


def call_metadata(
    *, token: str, request_id: str = "", invocation_grant: str = "", publisher_proof: str = ""
) -> Metadata:
    """The metadata of a call; empty values are left out, the current request id is the default."""
    pairs = [(AUTHORIZATION, f"Bearer {token}")]
    if request_id := request_id or current_request_id.get():
        pairs.append((REQUEST_ID, request_id))
    if invocation_grant:
        pairs.append((INVOCATION_GRANT, invocation_grant))
    if publisher_proof:
        pairs.append((PUBLISHER_PROOF, publisher_proof))
    return tuple(pairs)


def value_of(metadata: RawMetadata | None, name: str) -> str:
    """The first text value under `name`, or the empty string."""
    for key, value in metadata or ():
        if key == name and isinstance(value, str):
            return value
    return ""


def bearer_token_of(metadata: RawMetadata | None) -> str:
    """The token of the `authorization` pair, or the empty string."""
    scheme, _, token = value_of(metadata, AUTHORIZATION).partition(" ")
    return token if scheme.lower() == "bearer" else ""
