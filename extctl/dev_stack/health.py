"""Asks a part of the stack whether it is ready."""

import asyncio
import http.client
from typing import Final
from urllib.parse import urlsplit

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

_ASK_SECONDS: Final = 2.0


async def grpc_is_serving(target: str) -> bool:
    """Whether the gRPC server at `target` answers that it is serving."""
    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    async with aio.insecure_channel(target, options=options) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_ASK_SECONDS
            )
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def http_answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    return await asyncio.to_thread(_get, url)


def _get(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
