"""Taking a runner into and out of service, and what it tells about itself."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from runner_service.bootstrap import Runner, running
from shared.rpc.channel import open_channel
from shared.settings import SettingsInvalidError
from tests.fixtures.execution_log import ExecutionLogServer
from tests.fixtures.rpc_errors import told
from tests.fixtures.runner import RunnerClient, RunnerHome, client_of


@pytest.fixture
async def grant(runner_home: RunnerHome, scenarios_bytes: bytes) -> str:
    return runner_home.grant(await runner_home.publish(scenarios_bytes))


async def health_of(port: int) -> str:
    async with open_channel(f"127.0.0.1:{port}", service="grpc.health.v1.Health") as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="extension.runner.v1.RunnerService"), timeout=5
        )
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def test_a_draining_runner_takes_no_call_and_finishes_those_it_has(
    runner: Runner, runner_client: RunnerClient, runner_home: RunnerHome, grant: str
) -> None:
    await runner_client.warm(grant)
    running_call = asyncio.create_task(runner_client.execute(grant, "/i", timeout_ms=1500))
    await asyncio.sleep(0.3)
    async with client_of(runner.port, runner_home.operator_key) as operator:
        drained = await operator.drain()
        again = await operator.drain()

    with told() as refusal:
        await runner_client.execute(grant, "/u")

    assert drained.in_flight == again.in_flight == 1
    assert refusal.reason == "RUNNER_DRAINING"
    assert await health_of(runner.port) == "NOT_SERVING"
    assert (await running_call).failure.reason == "GUEST_TIMED_OUT"


async def test_only_an_operator_may_drain(runner: Runner, runner_client: RunnerClient) -> None:
    with told() as refusal:
        await runner_client.drain()

    assert refusal.reason == "FORBIDDEN"
    assert await health_of(runner.port) == "SERVING"


async def test_warming_loads_once(runner_client: RunnerClient, grant: str) -> None:
    assert (await runner_client.warm(grant)).loaded
    assert not (await runner_client.warm(grant)).loaded
    assert not (await runner_client.execute(grant, "/u")).usage.cold_start


async def test_a_runner_with_no_room_says_when_to_come_back(
    runner_home: RunnerHome, execution_log: ExecutionLogServer, grant: str
) -> None:
    settings = runner_home.settings(
        RUNNER_REGISTRY_TARGET=execution_log.target,
        RUNNER_CONCURRENCY="1",
        RUNNER_QUEUE_LIMIT="0",
    )
    async with (
        running(settings) as runner,
        client_of(runner.port, runner_home.gateway_key) as client,
    ):
        await client.warm(grant)
        busy = asyncio.create_task(client.execute(grant, "/i", timeout_ms=1500))
        await asyncio.sleep(0.3)
        with told() as refusal:
            await client.execute(grant, "/u")
        await busy
        after = await client.execute(grant, "/u")

    assert refusal.reason == "RUNNER_SATURATED"
    assert refusal.error.retry_after_ms
    assert after.http.status == 200


async def test_a_call_that_was_given_up_while_it_waited_never_runs(
    runner_home: RunnerHome, execution_log: ExecutionLogServer, grant: str
) -> None:
    settings = runner_home.settings(
        RUNNER_REGISTRY_TARGET=execution_log.target, RUNNER_CONCURRENCY="1"
    )
    async with (
        running(settings) as runner,
        client_of(runner.port, runner_home.gateway_key) as client,
    ):
        await client.warm(grant)
        busy = asyncio.create_task(client.execute(grant, "/i", timeout_ms=1000))
        await asyncio.sleep(0.2)
        waiting = asyncio.create_task(client.execute(grant, "/u", request_id="given-up"))
        await asyncio.sleep(0.2)
        waiting.cancel()
        await busy
        last = await client.execute(grant, "/u")
        await execution_log.recorded(last.execution_id)

    seen = {execution.request_id for execution in execution_log.executions.values()}
    assert "given-up" not in seen


async def test_a_call_that_is_given_up_while_it_runs_keeps_its_slot_to_the_end_and_is_recorded(
    runner_home: RunnerHome, execution_log: ExecutionLogServer, grant: str
) -> None:
    """The guest goes on until its deadline: its thread is not free before."""
    settings = runner_home.settings(
        RUNNER_REGISTRY_TARGET=execution_log.target, RUNNER_CONCURRENCY="1"
    )
    async with (
        running(settings) as runner,
        client_of(runner.port, runner_home.gateway_key) as client,
    ):
        await client.warm(grant)
        looping = asyncio.create_task(
            client.execute(grant, "/i", timeout_ms=1000, request_id="hung-up")
        )
        await asyncio.sleep(0.3)
        looping.cancel()
        after = await client.execute(grant, "/u")
        await execution_log.recorded(after.execution_id)

    recorded = {one.request_id: one.error for one in execution_log.executions.values()}
    assert recorded["hung-up"] == "GUEST_TIMED_OUT"
    assert after.usage.duration_us > 300_000  # it waited for the slot


async def test_metrics_count_without_naming_anyone(
    runner: Runner, runner_client: RunnerClient, grant: str
) -> None:
    await runner_client.execute(grant, "/u")
    await runner_client.execute(grant, "/t")

    url = f"http://127.0.0.1:{runner.metrics_port}/metrics"
    text = (await asyncio.to_thread(_read, url)).decode()

    assert 'extension_runner_invocation_seconds_count{outcome="ok"} 1.0' in text
    assert 'extension_runner_invocation_seconds_count{outcome="guest_trapped"} 1.0' in text
    assert "extension_runner_cold_starts_total 1.0" in text
    assert "extension_runner_in_flight 0.0" in text


async def test_every_wrong_setting_is_told_at_once(runner_home: RunnerHome) -> None:
    (runner_home.root / "runner.pem").write_text("not a key")
    (runner_home.root / "services.json").unlink()
    (runner_home.root / "trust.pem").write_text("")

    with pytest.raises(SettingsInvalidError) as error:
        async with running(runner_home.settings()):
            pass

    told_of = str(error.value)
    assert "RUNNER_SERVICE_KEY_FILE" in told_of
    assert "RUNNER_SERVICE_KEYS_FILE" in told_of
    assert "SIGNING_TRUST_BUNDLE" in told_of


async def test_a_cache_that_others_may_enter_is_refused(
    runner_home: RunnerHome, tmp_path: Path
) -> None:
    open_to_all = tmp_path / "cache"
    open_to_all.mkdir(mode=0o755)

    with pytest.raises(SettingsInvalidError, match=r"RUNNER_CACHE_DIR.*chmod"):
        async with running(runner_home.settings(RUNNER_CACHE_DIR=str(open_to_all))):
            pass


async def test_a_key_of_compiled_code_that_others_may_read_is_refused(
    runner_home: RunnerHome, tmp_path: Path
) -> None:
    key = tmp_path / "artefacts.key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)

    with pytest.raises(SettingsInvalidError, match=r"RUNNER_ARTEFACT_KEY_FILE.*chmod"):
        async with running(runner_home.settings(RUNNER_ARTEFACT_KEY_FILE=str(key))):
            pass


async def test_the_process_exits_with_2_on_wrong_settings() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runner_service", env={"PATH": os.environ["PATH"]},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, error = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 2
    assert b"RUNNER_REGISTRY_TARGET is not set" in error
    assert b"SIGNING_TRUST_BUNDLE is not set" in error
    assert b"Traceback" not in error


async def test_the_process_ends_its_calls_and_sends_its_log_on_sigterm(
    runner_home: RunnerHome, execution_log: ExecutionLogServer, grant: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runner_service",
        env={
            "PATH": os.environ["PATH"],
            **runner_home.environment(RUNNER_REGISTRY_TARGET=execution_log.target),
        },
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        port = await _port_of(process)
        async with client_of(port, runner_home.gateway_key) as client:
            await client.warm(grant)
            call = asyncio.create_task(client.execute(grant, "/i", timeout_ms=1000))
            await asyncio.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            answer = await call
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    recorded = await execution_log.recorded(answer.execution_id)
    assert recorded.error == "GUEST_TIMED_OUT"


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback
        return bytes(answer.read())


async def _port_of(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    async with asyncio.timeout(30):
        async for line in process.stderr:
            event = json.loads(line)
            if event["event"] == "runner ready":
                return int(event["port"])
    raise AssertionError("the runner did not become ready")
