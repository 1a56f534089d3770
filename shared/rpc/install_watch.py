"""Following InstallService.WatchInstalls, for whoever keeps what the registry told.

A stream that says nothing for two heartbeats is given up and opened anew; each new one begins with
a resync. While there is none, what was told before is good for as long as its own time limit says.
"""

import asyncio
import uuid
from collections.abc import Callable
from typing import Final

import grpc
import structlog
from grpc import aio

from shared.errors import ExtensionError, RegistryUnavailableError
from shared.identifiers import (
    InstallId,
    RegistryId,
    TenantId,
    VersionId,
    parse_content_hash,
)
from shared.install_changes import (
    HEARTBEAT_SECONDS,
    Change,
    InstallChange,
    Resync,
    VersionChange,
)
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import install_service_pb2_grpc as pb_grpc
from shared.rpc.metadata import call_metadata
from shared.rpc.status import to_error
from shared.tokens.service_token import ServiceTokenSource

SILENCE_SECONDS: Final = 2.5 * HEARTBEAT_SECONDS
_PAUSES: Final = (0.1, 0.5, 1.0)

_log = structlog.get_logger(__name__)


async def follow_changes(
    channel: aio.Channel,
    tokens: ServiceTokenSource,
    told: Callable[[Change], None],
    *,
    silence_seconds: float = SILENCE_SECONDS,
) -> None:
    """Tells every change, until it is cancelled.

    Args:
        channel: to the registry.
        tokens: of a service that may watch.
        told: is called in the event loop, and must not block; heartbeats are kept from it.
        silence_seconds: after how long a stream that says nothing counts as cut.
    """
    stub = pb_grpc.InstallServiceStub(channel)
    failures = 0
    while True:
        try:
            await _follow_once(stub, tokens, told, silence_seconds)
            failures = 0  # the registry ended it: it stops, or starts anew
        except (grpc.RpcError, TimeoutError, ValueError, ExtensionError) as error:
            failures += 1
            if failures == 1:
                _log.warning("install changes are not heard", reason=_reason(error))
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])


async def _follow_once(
    stub: "pb_grpc.InstallServiceAsyncStub",
    tokens: ServiceTokenSource,
    told: Callable[[Change], None],
    silence_seconds: float,
) -> None:
    call = stub.WatchInstalls(
        pb.WatchInstallsRequest(),
        metadata=call_metadata(token=tokens.token()),
        wait_for_ready=True,
    )
    try:
        while True:
            async with asyncio.timeout(silence_seconds):
                message = await call.read()
            if not isinstance(message, pb.WatchInstallsResponse):
                await call.code()
                return
            change = change_of(message)
            if change is not None:
                told(change)
    finally:
        call.cancel()


def change_of(message: pb.WatchInstallsResponse) -> Change | None:
    """What a message tells; None for a heartbeat, or for an event that is newer than this code.

    Raises:
        ValueError, ArgumentInvalidError: it is not what the contract says.
    """
    match message.WhichOneof("event"):
        case "resync":
            return Resync()
        case "install":
            install = message.install
            return InstallChange(
                TenantId(uuid.UUID(install.tenant_id)),
                InstallId(uuid.UUID(install.install_id)),
                RegistryId(uuid.UUID(install.registry_id)),
                install.revision,
            )
        case "version":
            version = message.version
            return VersionChange(
                VersionId(uuid.UUID(version.version_id)),
                parse_content_hash(version.content_hash),
                version.quarantined,
            )
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.RpcError):
        return to_error(error, RegistryUnavailableError).reason
    return type(error).__name__
