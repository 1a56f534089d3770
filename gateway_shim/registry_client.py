"""The registry over gRPC, as far as a gateway needs it."""

import uuid
from collections.abc import Callable
from datetime import UTC

import structlog
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway_shim.endpoint_match import Endpoint, EndpointMatcher
from gateway_shim.resolve import ResolvedInstall
from shared.errors import (
    BundleStoreUnavailableError,
    BundleUntrustedError,
    DeadlineExceededError,
    InstallNotFoundError,
    InternalError,
    RegistryUnavailableError,
    VersionQuarantinedError,
)
from shared.identifiers import InstallId, TenantId, VersionId
from shared.install_changes import Change
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import install_service_pb2_grpc as rpc
from shared.rpc.install_watch import follow_changes
from shared.rpc.metadata import call_metadata
from shared.rpc.status import to_error
from shared.tokens.service_token import ServiceTokenSource

SERVICE = "extension.registry.v1.InstallService"
AUDIENCE = "registry"
MAX_MATCHERS = 2048
_TOLD = (
    BundleStoreUnavailableError,
    BundleUntrustedError,
    DeadlineExceededError,
    RegistryUnavailableError,
)
"""What a caller of the gateway learns as it is; the rest is between us and the registry."""

_log = structlog.get_logger(__name__)


class RegistryClient:
    """An `InstallSource` that asks the registry."""

    def __init__(
        self, *, channel: aio.Channel, tokens: ServiceTokenSource, timeout_seconds: float
    ) -> None:
        self._channel = channel
        self._stub = rpc.InstallServiceStub(channel)
        self._health = health_pb2_grpc.HealthStub(channel)
        self._tokens = tokens
        self._timeout = timeout_seconds
        self._matchers: dict[str, EndpointMatcher] = {}

    async def resolve_install(self, tenant_id: TenantId, extension: str) -> ResolvedInstall | None:
        """The tenant's active install, or None.

        Raises:
            BundleUntrustedError: its version is not trusted any more.
            BundleStoreUnavailableError: nobody can say now whether it is.
            RegistryUnavailableError: it cannot be asked now.
            DeadlineExceededError: it took too long.
        """
        request = pb.ResolveInstallRequest(tenant_id=str(tenant_id), extension=extension)
        metadata = call_metadata(token=self._tokens.token())
        try:
            answer = await self._stub.ResolveInstall(
                request, metadata=metadata, timeout=self._timeout
            )
        except aio.AioRpcError as failed:
            error = to_error(failed, RegistryUnavailableError)
            if isinstance(error, InstallNotFoundError | VersionQuarantinedError):
                return None
            if isinstance(error, _TOLD):
                raise error from None
            # What the registry thinks of the gateway is no answer to the gateway's caller.
            _log.error("resolve refused", reason=error.reason)
            raise InternalError from None
        return ResolvedInstall(
            install_id=InstallId(uuid.UUID(answer.install.install_id)),
            version_id=VersionId(uuid.UUID(answer.install.version_id)),
            matcher=self._matcher(answer),
            config_json=answer.install.config_json,
            invocation_grant=answer.invocation_grant,
            grant_expires_at=answer.grant_expires_at.ToDatetime(tzinfo=UTC),
        )

    async def follow_changes(self, told: Callable[[Change], None]) -> None:
        """Tells what the registry says to have changed, until it is cancelled."""
        await follow_changes(self._channel, self._tokens, told)

    async def is_reachable(self, timeout_seconds: float) -> bool:
        """Whether the registry says that it is serving."""
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        try:
            answer = await self._health.Check(request, timeout=timeout_seconds)
        except aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _matcher(self, answer: pb.ResolveInstallResponse) -> EndpointMatcher:
        """The version's matcher: a version never changes, so all of its installs share one."""
        version_id = answer.install.version_id
        matcher = self._matchers.get(version_id)
        if matcher is None:
            endpoints = [Endpoint(e.method, e.path) for e in answer.endpoints]
            if len(self._matchers) >= MAX_MATCHERS:
                del self._matchers[next(iter(self._matchers))]
            matcher = self._matchers[version_id] = EndpointMatcher(endpoints)
        return matcher
