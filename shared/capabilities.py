"""The capabilities that an extension may ask for and an install may be granted.

A name has one canonical form, `cap:http.fetch`; everything past the edge uses that one.
"""

import difflib
from collections.abc import Mapping
from typing import Final

from shared.errors import ArgumentInvalidError

CONTEXT_READ: Final = "cap:context.read"
SECRETS_GET: Final = "cap:secrets.get"
HTTP_FETCH: Final = "cap:http.fetch"
STORAGE_KV: Final = "cap:storage.kv"
LOG_EMIT: Final = "cap:log.emit"
UI_PROXY: Final = "cap:ui.proxy"
USER_READ: Final = "cap:user.read"
SCHEDULER_MANAGE: Final = "cap:scheduler.manage"
INVOICE_MANUAL_CREATE: Final = "cap:invoice.manual.create"
CLIENT_READ: Final = "cap:client.read"
SERVICE_READ: Final = "cap:service.read"

CAPABILITIES: Final = frozenset(
    {
        CONTEXT_READ,
        SECRETS_GET,
        HTTP_FETCH,
        STORAGE_KV,
        LOG_EMIT,
        UI_PROXY,
        USER_READ,
        SCHEDULER_MANAGE,
        INVOICE_MANUAL_CREATE,
        CLIENT_READ,
        SERVICE_READ,
    }
)
DEFAULT_CAPABILITIES: Final = frozenset({CONTEXT_READ, LOG_EMIT, USER_READ})
"""What every extension has, asked for or not."""

CAPABILITY_OF_INTERFACE: Final[Mapping[str, str]] = {
    "alga:extension/context": CONTEXT_READ,
    "alga:extension/secrets": SECRETS_GET,
    "alga:extension/http": HTTP_FETCH,
    "alga:extension/storage": STORAGE_KV,
    "alga:extension/logging": LOG_EMIT,
    "alga:extension/ui-proxy": UI_PROXY,
    "alga:extension/user": USER_READ,
    "alga:extension/user-v2": USER_READ,
    "alga:extension/scheduler": SCHEDULER_MANAGE,
    "alga:extension/invoicing": INVOICE_MANUAL_CREATE,
    "alga:extension/clients": CLIENT_READ,
    "alga:extension/services": SERVICE_READ,
}
"""Which capability each interface of the guest's world needs; the others need none."""

_PREFIX: Final = "cap:"
_MAX_LENGTH: Final = 64


def canonical_capability(text: str) -> str:
    """The canonical form of a capability's name.

    Case, surrounding blanks and a missing `cap:` are forgiven: `" HTTP.fetch"` is
    `cap:http.fetch`. An unknown name is not, since dropping it would run the extension without
    what it asked for.

    Raises:
        ArgumentInvalidError: there is no such capability; the message names the nearest one.
    """
    name = text[:_MAX_LENGTH].strip().lower()
    name = name if name.startswith(_PREFIX) else _PREFIX + name
    if len(text) <= _MAX_LENGTH and name in CAPABILITIES:
        return name
    nearest = difflib.get_close_matches(name, sorted(CAPABILITIES), n=1)
    advice = (
        f"Did you mean {nearest[0]}?"
        if nearest
        else f"Known are {', '.join(sorted(CAPABILITIES))}."
    )
    raise ArgumentInvalidError(f"There is no capability {name!a}. {advice}", what="capability")
