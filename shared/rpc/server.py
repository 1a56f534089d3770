"""A gRPC server as every process of the platform runs it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from shared.rpc.interceptors import ServerInterceptor

MIB = 1024 * 1024
DRAIN_GRACE_SECONDS = 10.0

Register = Callable[[aio.Server], None]
"""A generated `add_…_to_server` with its servicer bound."""


@dataclass(frozen=True, slots=True)
class RpcServer:
    """A running server: where it listens, and its health."""

    port: int
    health: health_aio.HealthServicer
    services: tuple[str, ...]

    async def set_serving(self, *, serving: bool) -> None:
        """Tells health checkers, for the server as a whole and for each service."""
        status = health_pb2.HealthCheckResponse.ServingStatus
        value = status.SERVING if serving else status.NOT_SERVING
        for name in ("", *self.services):
            await self.health.set(name, value)


@asynccontextmanager
async def serving(
    *,
    listen: str,
    register: Sequence[Register],
    services: Sequence[str],
    interceptor: ServerInterceptor,
    max_message_bytes: int = 4 * MIB,
    with_reflection: bool = False,
) -> AsyncIterator[RpcServer]:
    """Serves until the block ends; then turns unhealthy and lets running calls finish.

    Args:
        listen: `host:port`; port 0 picks a free one.
        register: adds each servicer.
        services: full names, for health and reflection.
        interceptor: what every call passes through.
        max_message_bytes: the largest message either way.
        with_reflection: whether clients may list the services.

    Raises:
        OSError: the address cannot be bound.
    """
    server = aio.server(
        interceptors=[interceptor],
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.max_metadata_size", 16 * 1024),
            ("grpc.absolute_max_metadata_size", 16 * 1024),
            ("grpc.max_concurrent_streams", 1000),
            ("grpc.so_reuseport", 0),
        ],
    )
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for add in register:
        add(server)
    if with_reflection:
        reflection.enable_server_reflection([*services, reflection.SERVICE_NAME], server)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {listen}: {error}") from None
    await server.start()
    running = RpcServer(port, health, tuple(services))
    await running.set_serving(serving=True)
    try:
        yield running
    finally:
        await running.set_serving(serving=False)
        await server.stop(DRAIN_GRACE_SECONDS)
