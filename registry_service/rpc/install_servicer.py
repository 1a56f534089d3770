"""InstallService on the wire."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from grpc import aio

from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.installs import Installs
from registry_service.installs.model import InstallStatus
from registry_service.installs.resolution import Resolver
from registry_service.policies.policies import Policies
from registry_service.rpc.conversion import (
    endpoint_message,
    install_message,
    tenant_of,
    timestamp_of,
)
from registry_service.rpc.data_policy import keeps_records
from registry_service.rpc.tenant_policy_servicer import TenantPolicyServicer
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import install_service_pb2_grpc as pb_grpc

Context: TypeAlias = aio.ServicerContext[Any, Any]


class InstallServicer(TenantPolicyServicer, pb_grpc.InstallServiceServicer):
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(self, *, installs: Installs, resolver: Resolver, policies: Policies) -> None:
        self._policies = policies
        self._installs = installs
        self._resolver = resolver

    async def Install(self, request: pb.InstallRequest, context: Context) -> pb.InstallResponse:
        """Installs a version for a tenant."""
        install, changed, warnings = await self._installs.install(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            version=request.version,
            grant=_grant(request),
            config_json=_config(request),
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
        )
        return pb.UninstallResponse(changed=changed)

    async def Enable(self, request: pb.EnableRequest, context: Context) -> pb.EnableResponse:
        """Lets an install be called."""
        install = await self._installs.set_status(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            InstallStatus.ENABLED,
        )
        return pb.EnableResponse(install=install_message(install))

    async def Disable(self, request: pb.DisableRequest, context: Context) -> pb.DisableResponse:
        """Stops an install from being called."""
        install = await self._installs.set_status(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            InstallStatus.DISABLED,
        )
        return pb.DisableResponse(install=install_message(install))

    async def Update(self, request: pb.UpdateRequest, context: Context) -> pb.UpdateResponse:
        """Moves an install to another version."""
        install, warnings = await self._installs.update(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            version=request.version,
            grant=_grant(request),
            config_json=_config(request),
        )
        return pb.UpdateResponse(install=install_message(install), warnings=warnings)

    async def GetInstall(
        self, request: pb.GetInstallRequest, context: Context
    ) -> pb.GetInstallResponse:
        """Finds an install."""
        install = await self._installs.find(
            tenant_of(request.tenant_id), ExtensionReference.parse(request.extension)
        )
        return pb.GetInstallResponse(install=install_message(install))

    async def ListInstalls(
        self, request: pb.ListInstallsRequest, context: Context
    ) -> pb.ListInstallsResponse:
        """Lists a tenant's installs."""
        installs, token = await self._installs.list_installs(
            tenant_of(request.tenant_id), page_size=request.page_size, token=request.page_token
        )
        return pb.ListInstallsResponse(
            installs=[install_message(each) for each in installs], next_page_token=token
        )

    async def ResolveInstall(
        self, request: pb.ResolveInstallRequest, context: Context
    ) -> pb.ResolveInstallResponse:
        """Gives a gateway what it needs to serve one extension for one tenant."""
        resolution = await self._resolver.resolve(
            tenant_of(request.tenant_id), ExtensionReference.parse(request.extension)
        )
        return pb.ResolveInstallResponse(
            install=install_message(resolution.install),
            endpoints=[endpoint_message(each) for each in resolution.install.endpoints],
            invocation_grant=resolution.invocation_grant,
            grant_expires_at=timestamp_of(resolution.grant_expires_at),
        )


def _grant(request: pb.InstallRequest | pb.UpdateRequest) -> Sequence[str] | None:
    return request.grant.capabilities if request.HasField("grant") else None


def _config(request: pb.InstallRequest | pb.UpdateRequest) -> str | None:
    return request.config_json if request.HasField("config_json") else None
