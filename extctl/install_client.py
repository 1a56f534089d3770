"""Talks to a stack's registry about what tenants have."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final

import grpc

from extctl.install_records import Plan, Revision, install_of, plan_of, revision_of
from extctl.records import Install
from extctl.registry_calls import RegistryCalls, registry_calls
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock
from shared.egress_rules import EgressRule
from shared.errors import RegistryUnavailableError
from shared.identifiers import TenantId
from shared.install_changes import Change
from shared.pb.registry.v1 import install_pb2
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import install_service_pb2_grpc as pb_grpc
from shared.rpc.install_watch import change_of
from shared.rpc.status import to_error

SERVICE: Final = "extension.registry.v1.InstallService"


class InstallClient:
    """The installs of one tenant; each method raises the `ExtensionError` that it was told."""

    def __init__(self, calls: RegistryCalls, *, tenant_id: TenantId, actor: str) -> None:
        self._calls = calls
        self._installs = pb_grpc.InstallServiceStub(calls.channel)
        self._tenant_id = str(tenant_id)
        self._actor = actor

    async def list_installs(self) -> Sequence[Install]:
        """All of the tenant's installs."""
        found: list[Install] = []
        token = ""
        while True:
            told = await self._calls.call(
                self._installs.ListInstalls,
                pb.ListInstallsRequest(tenant_id=self._tenant_id, page_token=token),
            )
            found += map(install_of, told.installs)
            if not (token := told.next_page_token):
                return found

    async def find(self, extension: str) -> Install:
        """One install."""
        request = pb.GetInstallRequest(tenant_id=self._tenant_id, extension=extension)
        return install_of((await self._calls.call(self._installs.GetInstall, request)).install)

    async def plan(
        self,
        extension: str,
        *,
        version: str = "",
        capabilities: Sequence[str] | None = None,
        config_json: str | None = None,
        keep_grants: bool = False,
    ) -> Plan:
        """What `install` or `update` would do."""
        request = pb.PlanRequest(
            tenant_id=self._tenant_id, extension=extension, version=version,
            grant=_grant(capabilities), config_json=config_json, keep_grants=keep_grants,
        )  # fmt: skip
        return plan_of((await self._calls.call(self._installs.Plan, request)).plan)

    async def install(
        self,
        extension: str,
        *,
        version: str = "",
        capabilities: Sequence[str] | None = None,
        config_json: str | None = None,
        plan_hash: str = "",
    ) -> tuple[Install, bool, Sequence[str]]:
        """Installs; gives whether anything changed, and the warnings, too."""
        request = pb.InstallRequest(
            tenant_id=self._tenant_id, extension=extension, version=version,
            grant=_grant(capabilities), config_json=config_json, plan_hash=plan_hash,
            actor=self._actor,
        )  # fmt: skip
        told = await self._calls.call(self._installs.Install, request)
        return install_of(told.install), told.changed, tuple(told.warnings)

    async def update(
        self,
        extension: str,
        *,
        version: str = "",
        capabilities: Sequence[str] | None = None,
        config_json: str | None = None,
        keep_grants: bool = False,
        plan_hash: str = "",
    ) -> tuple[Install, Sequence[str]]:
        """Moves an install to another version; None keeps the grants and the config."""
        request = pb.UpdateRequest(
            tenant_id=self._tenant_id, extension=extension, version=version,
            grant=_grant(capabilities), config_json=config_json, keep_grants=keep_grants,
            plan_hash=plan_hash, actor=self._actor,
        )  # fmt: skip
        told = await self._calls.call(self._installs.Update, request)
        return install_of(told.install), tuple(told.warnings)

    async def enable(self, extension: str) -> Install:
        """Lets an install be called again."""
        request = pb.EnableRequest(
            tenant_id=self._tenant_id, extension=extension, actor=self._actor
        )
        return install_of((await self._calls.call(self._installs.Enable, request)).install)

    async def disable(self, extension: str) -> Install:
        """Stops an install from being called."""
        request = pb.DisableRequest(
            tenant_id=self._tenant_id, extension=extension, actor=self._actor
        )
        return install_of((await self._calls.call(self._installs.Disable, request)).install)

    async def history(self, extension: str, *, limit: int) -> Sequence[Revision]:
        """The newest revisions of an install."""
        request = pb.ListRevisionsRequest(
            tenant_id=self._tenant_id, extension=extension, page_size=limit
        )
        told = await self._calls.call(self._installs.ListRevisions, request)
        return [revision_of(each) for each in told.revisions]

    async def rollback(self, extension: str, revision: int) -> tuple[Install, Sequence[str]]:
        """Restores a revision; gives the warnings, too."""
        request = pb.RollbackRequest(
            tenant_id=self._tenant_id, extension=extension, revision=revision, actor=self._actor
        )
        told = await self._calls.call(self._installs.Rollback, request)
        return install_of(told.install), tuple(told.warnings)

    async def set_config(self, extension: str, config_json: str) -> Install:
        """Replaces the config."""
        request = pb.SetConfigRequest(
            tenant_id=self._tenant_id, extension=extension, config_json=config_json,
            actor=self._actor,
        )  # fmt: skip
        return install_of((await self._calls.call(self._installs.SetConfig, request)).install)

    async def set_egress_rules(self, extension: str, rules: Sequence[EgressRule]) -> Install:
        """Replaces the egress rules."""
        request = pb.SetEgressRulesRequest(
            tenant_id=self._tenant_id, extension=extension, actor=self._actor,
            egress_rules=[
                install_pb2.EgressRule(
                    scheme=rule.scheme, host=rule.host, port=rule.port, methods=rule.methods
                )
                for rule in rules
            ],
        )  # fmt: skip
        return install_of((await self._calls.call(self._installs.SetEgressRules, request)).install)


async def watch_changes(calls: RegistryCalls) -> AsyncGenerator[Change, None]:
    """What the registry says to have changed, as it happens, for all tenants.

    Raises:
        RegistryUnavailableError: it is away, or was lost.
    """
    stub = pb_grpc.InstallServiceStub(calls.channel)
    stream = stub.WatchInstalls(pb.WatchInstallsRequest(), metadata=calls.metadata())
    try:
        async for message in stream:
            if (change := change_of(message)) is not None:
                yield change
    except grpc.RpcError as failed:
        raise to_error(failed, RegistryUnavailableError) from None
    finally:
        stream.cancel()
    raise RegistryUnavailableError("The registry ended the stream.")


@asynccontextmanager
async def install_client(
    stack: Path, *, tenant_id: TenantId, actor: str
) -> AsyncIterator[InstallClient]:
    """A client for the stack in this directory.

    Raises:
        CommandError: there is none, or its operator's key cannot be read.
    """
    async with registry_calls(
        read_stack_file(stack), service=SERVICE, clock=SystemClock()
    ) as calls:
        yield InstallClient(calls, tenant_id=tenant_id, actor=actor)


async def each_change(stack: Path, told: Callable[[Change], bool]) -> None:
    """Tells every change until `told` gives False."""
    async with (
        registry_calls(read_stack_file(stack), service=SERVICE, clock=SystemClock()) as calls,
        aclosing(watch_changes(calls)) as changes,
    ):
        async for change in changes:
            if not told(change):
                return


def _grant(capabilities: Sequence[str] | None) -> pb.CapabilityGrant | None:
    return None if capabilities is None else pb.CapabilityGrant(capabilities=capabilities)
