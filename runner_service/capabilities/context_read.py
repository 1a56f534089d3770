"""`cap:context.read`: which call this is, of which install, for which tenant."""

from typing import ClassVar, Final

from runner_service.abi.values import Value
from runner_service.backends.backends import Backends
from runner_service.capabilities.capability import Answers
from runner_service.invocation import Invocation
from shared.capabilities import CONTEXT_READ

# The interface has no error: who may not read the context gets one that says nothing.
_NOTHING: Final[dict[str, Value]] = {
    "request-id": None,
    "tenant-id": "",
    "extension-id": "",
    "install-id": None,
    "version-id": None,
}


class ContextRead:
    """Tells what the grant says, not what a caller sent."""

    name = CONTEXT_READ
    interface = "alga:extension/context"
    denials: ClassVar[Answers] = {"get-context": _NOTHING}

    def __init__(self, _backends: Backends) -> None: ...

    def call(self, invocation: Invocation, _function: str, _arguments: tuple[Value, ...]) -> Value:
        """Answers `get-context`."""
        grant = invocation.grant
        return {
            "request-id": invocation.request.request_id,
            "tenant-id": str(grant.tenant_id),
            "extension-id": str(grant.registry_id),
            "install-id": str(grant.install_id),
            "version-id": str(grant.version_id),
        }
