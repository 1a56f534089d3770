"""All capabilities, and the host that a guest sees: its calls, behind its grant."""

from collections.abc import Mapping
from typing import Final

from runner_service.abi.values import Value
from runner_service.backends.backends import Backends
from runner_service.capabilities.capability import Capability
from runner_service.capabilities.client_read import ClientRead
from runner_service.capabilities.context_read import ContextRead
from runner_service.capabilities.http_fetch import HttpFetch
from runner_service.capabilities.install_config import InstallConfig
from runner_service.capabilities.invoice_manual_create import InvoiceManualCreate
from runner_service.capabilities.log_emit import LogEmit
from runner_service.capabilities.scheduler_manage import SchedulerManage
from runner_service.capabilities.secrets_get import SecretsGet
from runner_service.capabilities.service_read import ServiceRead
from runner_service.capabilities.storage_kv import StorageKv
from runner_service.capabilities.ui_proxy import UiProxy
from runner_service.capabilities.user_read import UserRead, UserReadV2
from runner_service.invocation import Invocation
from shared.errors import GuestTrappedError

CAPABILITIES: Final[tuple[type[Capability], ...]] = (
    ContextRead,
    SecretsGet,
    HttpFetch,
    StorageKv,
    LogEmit,
    UiProxy,
    UserRead,
    UserReadV2,
    SchedulerManage,
    InvoiceManualCreate,
    ClientRead,
    ServiceRead,
    InstallConfig,
)

MAX_HOST_CALLS: Final = 10_000


class CapabilityTable:
    """The capabilities of a process, by interface; one for all invocations."""

    def __init__(self, backends: Backends) -> None:
        self._by_interface: Mapping[str, Capability] = {
            kind.interface: kind(backends) for kind in CAPABILITIES
        }

    def host_of(self, invocation: Invocation) -> "InvocationHost":
        """The host that this invocation's guest calls."""
        return InvocationHost(invocation=invocation, by_interface=self._by_interface)


class InvocationHost:
    """Lets a call through to its capability, or denies it in the interface's own words."""

    def __init__(self, *, invocation: Invocation, by_interface: Mapping[str, Capability]) -> None:
        self._invocation = invocation
        self._granted = invocation.grant.capabilities
        self._by_interface = by_interface

    def call(self, interface: str, function: str, arguments: tuple[Value, ...], /) -> Value:
        """Answers one host call.

        Raises:
            GuestTrappedError: the guest made more host calls than a call may; this ends it.
            GuestTimedOutError: its time is up; likewise.
        """
        invocation = self._invocation
        invocation.host_calls += 1
        if invocation.host_calls > MAX_HOST_CALLS:
            raise GuestTrappedError(f"the extension made more than {MAX_HOST_CALLS} host calls")
        capability = self._by_interface[interface]
        if capability.name and capability.name not in self._granted:
            invocation.denied_calls[capability.name] += 1
            return capability.denials[function]
        return capability.call(invocation, function, arguments)
