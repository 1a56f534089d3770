"""The gateway as a process: probes, metrics, signals, and runners that are killed under it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway_shim.bootstrap import running
from gateway_shim.settings import GatewaySettings
from shared.tokens.service_token import ServiceRole
from tests.fixtures.gateway import (
    GatewayRig,
    StartRig,
    SteeredRegistry,
    gateway_settings,
    registry_serving,
)
from tests.fixtures.tokens import AUDIENCE, ISSUER, ServiceKeys, UserIssuer
from tests.integration.gateway.ports import free_port

SettingsFor = Callable[[str], GatewaySettings]
ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def python(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process with the tree on its path; killed at the end, if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_health_is_the_process_and_readiness_what_it_needs(rig: GatewayRig) -> None:
    base = rig.gateway.url
    async with aiohttp.ClientSession() as anonymous:
        async with anonymous.get(f"{base}/healthz") as got:
            assert (got.status, await got.json()) == (200, {"status": "ok"})
        async with anonymous.get(f"{base}/readyz") as got:
            assert got.status == 200
            assert await got.json() == {
                "status": "ready",
                "checks": {"keys": "ok", "registry": "ok", "runners": "ok"},
            }
        async with anonymous.post(f"{base}/healthz") as got:
            assert got.status == 405
            assert got.headers["allow"] == "GET, HEAD"


async def test_a_gateway_without_registry_and_runners_is_not_ready(
    service_keys: ServiceKeys, user_issuer: UserIssuer
) -> None:
    settings = gateway_settings(
        service_keys,
        user_issuer,
        registry=f"127.0.0.1:{free_port()}",
        runner=f"127.0.0.1:{free_port()}",
    )
    async with running(settings) as gateway, aiohttp.ClientSession() as http:
        async with http.get(f"{gateway.url}/readyz") as got:
            assert got.status == 503
            assert await got.json() == {
                "status": "not_ready",
                "checks": {"keys": "ok", "registry": "failed", "runners": "failed"},
            }
        async with http.get(f"{gateway.url}/healthz") as got:
            assert got.status == 200


async def test_connections_are_bounded(start_rig: StartRig) -> None:
    async with start_rig(max_connections=3) as rig, AsyncExitStack() as stack:
        statuses = []
        for _ in range(4):
            http = await stack.enter_async_context(
                aiohttp.ClientSession(headers=rig.issuer.headers())
            )
            async with http.get(rig.url()) as got:
                statuses.append(got.status)
                await got.read()
        assert statuses == [200, 200, 200, 503]


async def test_metrics_count_and_name_no_tenant_and_no_extension(start_rig: StartRig) -> None:
    async with start_rig() as rig:
        for path in ("/agreements", "/agreements/secret-id", "/undeclared"):
            async with rig.http.get(rig.url(path)):
                pass
        async with rig.http.get(rig.url(extension="evil.label")):
            pass
        async with rig.http.get(f"{rig.gateway.url}/metrics") as got:
            text = await got.text()
    count = "extension_gateway_requests_total"
    assert f'{count}{{reason="",route="invoke",status="2xx"}} 2.0' in text
    assert f'{count}{{reason="endpoint_not_found",route="invoke",status="4xx"}} 1.0' in text
    assert f'{count}{{reason="extension_not_available",route="invoke",status="4xx"}} 1.0' in text
    assert 'extension_gateway_resolutions_total{how="hit"} 2.0' in text
    for chosen in ("aaaaaaaa", "acme", "secret-id", "undeclared", "evil", "user-1"):
        assert chosen not in text


def environment(
    keys: ServiceKeys, issuer: UserIssuer, *, registry: str, runner: str
) -> dict[str, str]:
    return {
        "GATEWAY_LISTEN": f"127.0.0.1:{free_port()}",
        "GATEWAY_REGISTRY_TARGET": registry,
        "GATEWAY_RUNNER_TARGET": runner,
        "GATEWAY_SERVICE_KEY_FILE": str(keys.file_of(ServiceRole.GATEWAY)),
        "GATEWAY_JWKS": str(issuer.jwks_file),
        "GATEWAY_TOKEN_ISSUER": ISSUER,
        "GATEWAY_TOKEN_AUDIENCE": AUDIENCE,
    }


async def test_settings_that_cannot_be_used_end_the_process_with_all_faults() -> None:
    async with python("-m", "gateway_shim", GATEWAY_LISTEN="nowhere") as process:
        _, err = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 2
    lines = err.decode().splitlines()
    assert len(lines) == 7
    assert any(line.startswith("GATEWAY_LISTEN: ") for line in lines)
    assert any(line.startswith("GATEWAY_JWKS is not set.") for line in lines)


@pytest.mark.parametrize("what", ["key", "port"])
async def test_a_gateway_that_cannot_start_says_why(
    service_keys: ServiceKeys, user_issuer: UserIssuer, tmp_path: Path, what: str
) -> None:
    settings = environment(service_keys, user_issuer, registry="127.0.0.1:1", runner="127.0.0.1:1")
    if what == "key":
        wrong = tmp_path / "key.pem"
        wrong.write_text("not a key")
        settings["GATEWAY_SERVICE_KEY_FILE"] = str(wrong)
    else:
        settings["GATEWAY_LISTEN"] = "192.0.2.1:1"
    async with python("-m", "gateway_shim", **settings) as process:
        _, err = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 1
    assert err.decode().splitlines()[-1].startswith("The gateway cannot start: ")
    assert b"Traceback" not in err


@asynccontextmanager
async def echo_runner(
    port: int, jwks: Path, *how: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A runner contract in a process of its own, ready."""
    echo = "tests.integration.gateway.echo_runner"
    async with python("-m", echo, f"127.0.0.1:{port}", str(jwks), *how) as runner:
        await said(runner, "ready")
        yield runner


async def said(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == f"{word}\n".encode()


@pytest.fixture
def jwks(service_keys: ServiceKeys, tmp_path: Path) -> Path:
    file = tmp_path / "services.json"
    file.write_text(service_keys.jwks)
    return file


@pytest.fixture
async def registry_target(service_keys: ServiceKeys) -> AsyncIterator[str]:
    registry = SteeredRegistry()  # type: ignore[abstract]
    async with registry_serving(registry, service_keys) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.fixture
def settings_for(
    service_keys: ServiceKeys, user_issuer: UserIssuer, registry_target: str
) -> SettingsFor:
    """Settings of a gateway whose runners are at a target."""

    def make(runner: str) -> GatewaySettings:
        return gateway_settings(service_keys, user_issuer, registry=registry_target, runner=runner)

    return make


async def test_a_killed_runner_costs_no_call_and_sigterm_ends_the_gateway(
    service_keys: ServiceKeys, user_issuer: UserIssuer, jwks: Path, registry_target: str
) -> None:
    ports = [free_port(), free_port()]
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
    settings = environment(service_keys, user_issuer, registry=registry_target, runner=target)
    async with (
        echo_runner(ports[0], jwks) as first,
        echo_runner(ports[1], jwks),
        python("-m", "gateway_shim", **settings) as gateway,
        aiohttp.ClientSession(f"http://{settings['GATEWAY_LISTEN']}/") as http,
    ):
        await ready(http)
        http.headers.update(user_issuer.headers())

        async def call(method: str) -> int:
            async with http.request(method, "/api/ext/acme.agreements/agreements") as got:
                await got.read()
                return got.status

        assert [await call("POST") for _ in range(6)] == [200] * 6
        first.kill()
        await first.wait()
        assert await call("POST") == 200
        assert [await call("GET") for _ in range(20)] == [200] * 20

        gateway.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(gateway.communicate(), 20)
        assert gateway.returncode == 0
    text = err.decode()
    assert "Traceback" not in text
    assert user_issuer.token().split(".")[0] not in text


async def test_calls_under_load_survive_a_runner_that_is_killed(
    settings_for: SettingsFor, user_issuer: UserIssuer, jwks: Path
) -> None:
    ports = [free_port(), free_port()]
    settings = settings_for("ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports))
    statuses: list[int] = []
    is_over = asyncio.Event()
    async with (
        echo_runner(ports[0], jwks) as first,
        echo_runner(ports[1], jwks),
        running(settings) as gateway,
        aiohttp.ClientSession(headers=user_issuer.headers()) as http,
    ):

        async def load() -> None:
            while not is_over.is_set():
                async with http.get(f"{gateway.url}/api/ext/acme.agreements/agreements") as got:
                    await got.read()
                    statuses.append(got.status)

        workers = [asyncio.create_task(load()) for _ in range(8)]
        await asyncio.sleep(0.5)
        first.kill()
        await asyncio.sleep(1)
        is_over.set()
        await asyncio.gather(*workers)
    assert len(statuses) > 50
    assert set(statuses) == {200}


@pytest.mark.parametrize(
    ("method", "manner", "status"),
    [
        ("GET", "hang", 200),
        ("PUT", "hang", 200),
        ("POST", "hang", 503),
        pytest.param("POST", "queue", 200, id="POST that had not started"),
    ],
)
async def test_a_call_that_was_lost_is_repeated_only_if_that_means_the_same(
    settings_for: SettingsFor,
    user_issuer: UserIssuer,
    jwks: Path,
    *,
    method: str,
    manner: str,
    status: int,
) -> None:
    ports = [free_port(), free_port()]
    settings = settings_for("ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports))
    path = "agreements" if method == "POST" else "agreements/1"
    async with (
        echo_runner(ports[0], jwks, manner) as first,
        echo_runner(ports[1], jwks),
        running(settings) as gateway,
        aiohttp.ClientSession(headers=user_issuer.headers()) as http,
    ):

        async def call() -> int:
            async with http.request(method, f"{gateway.url}/api/ext/acme.agreements/{path}") as got:
                await got.read()
                return got.status

        calls: list[asyncio.Task[int]] = []
        reached = asyncio.create_task(said(first, "called"))
        while not reached.done():  # the runners take turns
            calls.append(asyncio.create_task(call()))
            await asyncio.sleep(0.05)
        await reached
        hanging = [one for one in calls if not one.done()]
        first.kill()
        assert {await one for one in hanging} == {status}
        assert {await one for one in calls if one not in hanging} <= {200}


async def ready(http: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                async with http.get("/readyz") as got:
                    if got.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)
