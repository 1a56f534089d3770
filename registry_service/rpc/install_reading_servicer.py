"""The RPCs of InstallService that change nothing."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

from grpc import aio

from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.change_feed import ChangeFeed
from registry_service.installs.history import History
from registry_service.installs.installs import Installs
from registry_service.installs.resolution import Resolver
from registry_service.rpc.conversion import endpoint_message, tenant_of, timestamp_of
from registry_service.rpc.install_conversion import (
    change_message,
    install_message,
    plan_message,
    revision_message,
    wish_of,
)
from shared.install_changes import HEARTBEAT_SECONDS
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import install_service_pb2_grpc as pb_grpc

Context: TypeAlias = aio.ServicerContext[Any, Any]


class InstallReadingServicer(pb_grpc.InstallServiceServicer):
    """Looks, plans, resolves and watches."""

    def __init__(
        self, *, installs: Installs, history: History, resolver: Resolver, feed: ChangeFeed
    ) -> None:
        self._installs = installs
        self._history = history
        self._resolver = resolver
        self._feed = feed

    async def Plan(self, request: pb.PlanRequest, context: Context) -> pb.PlanResponse:
        """Says what Install or Update would do."""
        plan = await self._installs.plan(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            wish_of(request),
        )
        return pb.PlanResponse(plan=plan_message(plan))

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

    async def ListRevisions(
        self, request: pb.ListRevisionsRequest, context: Context
    ) -> pb.ListRevisionsResponse:
        """Lists what became of an install."""
        revisions, token = await self._history.list_revisions(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            page_size=request.page_size,
            token=request.page_token,
        )
        return pb.ListRevisionsResponse(
            revisions=[revision_message(each) for each in revisions], next_page_token=token
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

    async def WatchInstalls(
        self, request: pb.WatchInstallsRequest, context: Context
    ) -> AsyncIterator[pb.WatchInstallsResponse]:
        """Tells changes as they happen, until the server stops."""
        with self._feed.watching() as watcher:
            while True:
                change = await watcher.next(HEARTBEAT_SECONDS)
                if watcher.has_ended:
                    return
                yield change_message(change)
