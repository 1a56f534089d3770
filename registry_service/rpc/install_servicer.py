"""InstallService on the wire."""

from typing import Any, TypeAlias

from grpc import aio

from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.adjustments import Adjustments
from registry_service.installs.change_feed import ChangeFeed
from registry_service.installs.history import History
from registry_service.installs.installs import Installs
from registry_service.installs.model import InstallStatus, TenantInstall
from registry_service.installs.resolution import Resolver
from registry_service.policies.policies import Policies
from registry_service.rpc.conversion import tenant_of
from registry_service.rpc.data_policy import keeps_records
from registry_service.rpc.install_conversion import egress_rules_of, install_message, wish_of
from registry_service.rpc.install_reading_servicer import InstallReadingServicer
from registry_service.rpc.tenant_policy_servicer import TenantPolicyServicer
from shared.pb.registry.v1 import install_service_pb2 as pb

Context: TypeAlias = aio.ServicerContext[Any, Any]


class InstallServicer(TenantPolicyServicer, InstallReadingServicer):
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(
        self,
        *,
        installs: Installs,
        adjustments: Adjustments,
        history: History,
        resolver: Resolver,
        feed: ChangeFeed,
        policies: Policies,
    ) -> None:
        super().__init__(installs=installs, history=history, resolver=resolver, feed=feed)
        self._adjustments = adjustments
        self._policies = policies

    async def Install(self, request: pb.InstallRequest, context: Context) -> pb.InstallResponse:
        """Installs a version for a tenant."""
        install, changed, warnings = await self._installs.install(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            wish_of(request),
        )
        return pb.InstallResponse(
            install=install_message(install), changed=changed, warnings=warnings
        )

    async def Uninstall(
        self, request: pb.UninstallRequest, context: Context
    ) -> pb.UninstallResponse:
        """Removes an install."""
        changed = await self._installs.uninstall(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            keep_records=keeps_records(request.data_policy),
            actor=request.actor,
        )
        return pb.UninstallResponse(changed=changed)

    async def Enable(self, request: pb.EnableRequest, context: Context) -> pb.EnableResponse:
        """Lets an install be called."""
        install = await self._set_status(request, InstallStatus.ENABLED)
        return pb.EnableResponse(install=install_message(install))

    async def Disable(self, request: pb.DisableRequest, context: Context) -> pb.DisableResponse:
        """Stops an install from being called."""
        install = await self._set_status(request, InstallStatus.DISABLED)
        return pb.DisableResponse(install=install_message(install))

    async def Update(self, request: pb.UpdateRequest, context: Context) -> pb.UpdateResponse:
        """Moves an install to another version."""
        install, warnings = await self._installs.update(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            wish_of(request),
        )
        return pb.UpdateResponse(install=install_message(install), warnings=warnings)

    async def Rollback(self, request: pb.RollbackRequest, context: Context) -> pb.RollbackResponse:
        """Restores an earlier revision."""
        install, warnings = await self._history.rollback(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            request.revision,
            actor=request.actor,
        )
        return pb.RollbackResponse(install=install_message(install), warnings=warnings)

    async def SetConfig(
        self, request: pb.SetConfigRequest, context: Context
    ) -> pb.SetConfigResponse:
        """Replaces the config."""
        install = await self._adjustments.set_config(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            request.config_json,
            actor=request.actor,
        )
        return pb.SetConfigResponse(install=install_message(install))

    async def SetEgressRules(
        self, request: pb.SetEgressRulesRequest, context: Context
    ) -> pb.SetEgressRulesResponse:
        """Replaces the egress rules."""
        install = await self._adjustments.set_egress_rules(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            egress_rules_of(request.egress_rules),
            actor=request.actor,
        )
        return pb.SetEgressRulesResponse(install=install_message(install))

    async def _set_status(
        self, request: pb.EnableRequest | pb.DisableRequest, status: InstallStatus
    ) -> TenantInstall:
        return await self._adjustments.set_status(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            status,
            actor=request.actor,
        )
