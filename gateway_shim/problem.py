"""An error as HTTP tells it: `application/problem+json` (RFC 9457).

Says what was wrong and under which request id, never how the platform is built.
"""

import json
from http import HTTPStatus

from gateway_shim.answer import Answer
from shared.errors import (
    ComponentInvalidError,
    ExtensionError,
    MethodNotAllowedError,
    UnauthenticatedError,
)

TYPE_PREFIX = "urn:extension-host:problem:"


# At publish these blame the one who sends a bundle; told by a runner they blame what it was given.
_BAD_GATEWAY = (ComponentInvalidError,)


def problem(error: ExtensionError, request_id: str) -> Answer:
    """The answer that tells `error`, which happened to the request `request_id`."""
    status = HTTPStatus.BAD_GATEWAY if isinstance(error, _BAD_GATEWAY) else error.http_status
    reason = error.reason.lower()
    document: dict[str, object] = {
        "type": TYPE_PREFIX + reason,
        "title": error.title(),
        "status": int(status),
        "detail": error.message,
        "instance": request_id,
        "reason": reason,
        "request_id": request_id,
    }
    if error.faults:
        document["faults"] = [
            {"path": f.path, "code": f.code, "message": f.message, "hint": f.hint}
            for f in error.faults
        ]
    body = json.dumps(document, separators=(",", ":")).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode("ascii")),
    ]
    if error.retry_after_ms is not None:
        headers.append((b"retry-after", b"%d" % max(1, -(-error.retry_after_ms // 1000))))
    if isinstance(error, UnauthenticatedError):
        challenge = error.metadata.get("challenge", "")
        headers.append((b"www-authenticate", f"Bearer{challenge}".encode("ascii")))
    if isinstance(error, MethodNotAllowedError):
        headers.append((b"allow", error.metadata.get("allow", "").encode("ascii")))
    if status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
        headers.append((b"connection", b"close"))  # what is left of the body is not read
    return Answer(int(status), headers, body)
