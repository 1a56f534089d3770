"""What every server of the platform promises, on a real server over a real socket.

The servicer is the test's own: the plumbing is what is under test.
"""

import functools
import json
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from shared.clock import SystemClock
from shared.errors import ExtensionError, Fault, InstallNotFoundError, RegistryUnavailableError
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import install_service_pb2_grpc as rpc
from shared.rpc.channel import open_channel
from shared.rpc.interceptors import ServerInterceptor
from shared.rpc.metadata import Metadata, call_metadata, current_request_id
from shared.rpc.server import RpcServer, serving
from shared.rpc.status import is_from_callee, to_error
from shared.telemetry.metrics import RpcMetrics, metrics_port
from shared.tokens.keys import SigningKey, load_key_set
from shared.tokens.service_token import ServiceRole, ServiceTokenSource, ServiceTokenVerifier

SERVICE = "extension.registry.v1.InstallService"
SECRET = "the-database-password"

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")


class Servicer(rpc.InstallServiceServicer):
    async def GetInstall(self, request: Any, context: Any) -> pb.GetInstallResponse:
        row = ExtensionError.table()[request.extension]
        fault = Fault("api.endpoints[2].method", "unknown", "No.", "Yes.")
        raise row("Because.", faults=[fault], retry_after_ms=1500, what="this")

    async def ListInstalls(self, request: Any, context: Any) -> pb.ListInstallsResponse:
        raise ValueError(SECRET)

    async def Uninstall(self, request: Any, context: Any) -> pb.UninstallResponse:
        return pb.UninstallResponse(changed=current_request_id.get() == "r-1")


@pytest.fixture(scope="module")
def key() -> SigningKey:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return SigningKey.from_pem(pem)


@pytest.fixture(scope="module")
def metrics() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture(scope="module")
async def server(key: SigningKey, metrics: CollectorRegistry) -> AsyncIterator[RpcServer]:
    keys = load_key_set(json.dumps({"keys": [key.public_jwk(role="gateway")]}))
    clock = SystemClock()
    interceptor = ServerInterceptor(
        verifier=ServiceTokenVerifier(keys=keys, audience="registry", clock=clock),
        roles={
            SERVICE: frozenset({ServiceRole.GATEWAY}),
            f"/{SERVICE}/Enable": frozenset({ServiceRole.OPERATOR}),
        },
        metrics=RpcMetrics(metrics),
        clock=clock,
    )
    add = functools.partial(rpc.add_InstallServiceServicer_to_server, Servicer())  # type: ignore[abstract]
    async with serving(
        listen="127.0.0.1:0", register=[add], services=[SERVICE], interceptor=interceptor
    ) as running:
        yield running


@pytest.fixture(scope="module")
async def stub(server: RpcServer) -> AsyncIterator[Any]:
    async with open_channel(f"127.0.0.1:{server.port}", service=SERVICE) as channel:
        yield rpc.InstallServiceStub(channel)


@pytest.fixture
def metadata(key: SigningKey) -> Metadata:
    source = ServiceTokenSource(key=key, audience="registry", clock=SystemClock())
    return call_metadata(token=source.token(), request_id="r-1")


async def failure(call: Any) -> tuple[ExtensionError, grpc.StatusCode]:
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return to_error(caught.value, RegistryUnavailableError), caught.value.code()


@pytest.mark.parametrize("reason", ExtensionError.table())
async def test_every_error_survives_the_wire(stub: Any, metadata: Metadata, reason: str) -> None:
    request = pb.GetInstallRequest(extension=reason)
    error, code = await failure(stub.GetInstall(request, metadata=metadata, timeout=5))
    assert error.reason == reason
    assert code.value[0] == error.code
    assert error.message == "Because."
    assert error.metadata == {"what": "this"}
    assert error.retry_after_ms == 1500
    assert error.faults == (Fault("api.endpoints[2].method", "unknown", "No.", "Yes."),)


async def test_an_unforeseen_failure_tells_nothing_of_itself(stub: Any, metadata: Metadata) -> None:
    call = stub.ListInstalls(pb.ListInstallsRequest(), metadata=metadata, timeout=5)
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    assert to_error(caught.value, RegistryUnavailableError).reason == "INTERNAL"
    assert SECRET not in (caught.value.debug_error_string() or "")
    assert SECRET not in (caught.value.details() or "")


async def test_a_caller_without_a_token_is_unauthenticated(stub: Any) -> None:
    error, _ = await failure(stub.GetInstall(pb.GetInstallRequest(), timeout=5))
    assert error.reason == "UNAUTHENTICATED"


async def test_a_role_calls_only_what_is_listed_for_it(stub: Any, metadata: Metadata) -> None:
    error, _ = await failure(stub.Enable(pb.EnableRequest(), metadata=metadata, timeout=5))
    assert error.reason == "FORBIDDEN"


async def test_the_request_id_travels(stub: Any, metadata: Metadata) -> None:
    answer = await stub.Uninstall(pb.UninstallRequest(), metadata=metadata, timeout=5)
    assert answer.changed


async def test_health_needs_no_token(server: RpcServer) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_lost_server_is_told_apart_from_a_refusing_one(metadata: Metadata) -> None:
    async with open_channel("127.0.0.1:1", service=SERVICE) as channel:
        call = rpc.InstallServiceStub(channel).GetInstall(
            pb.GetInstallRequest(), metadata=metadata, timeout=5
        )
        with pytest.raises(aio.AioRpcError) as caught:
            await call
    assert not is_from_callee(caught.value)
    assert to_error(caught.value, RegistryUnavailableError).reason == "REGISTRY_UNAVAILABLE"


async def test_calls_are_timed_by_method_and_code(
    stub: Any, metadata: Metadata, metrics: CollectorRegistry
) -> None:
    request = pb.GetInstallRequest(extension=InstallNotFoundError.reason)
    await failure(stub.GetInstall(request, metadata=metadata, timeout=5))
    labels = {"method": f"/{SERVICE}/GetInstall", "code": "NOT_FOUND"}
    count = metrics.get_sample_value("extension_rpc_server_seconds_count", labels)
    assert count is not None
    assert count >= 1


def test_metrics_are_shown_on_their_own_port() -> None:
    RpcMetrics(registry := CollectorRegistry()).observe("/a.B/C", "OK", 0.1)
    with (
        metrics_port(registry, "127.0.0.1:0") as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert b'extension_rpc_server_seconds_count{code="OK",method="/a.B/C"} 1.0' in answer.read()
