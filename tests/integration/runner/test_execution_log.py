"""What the registry is told of each execution."""

from shared.pb.registry.v1 import execution_log_service_pb2 as pb
from tests.fixtures.execution_log import ExecutionLogServer
from tests.fixtures.runner import RunnerClient, RunnerHome


async def test_an_execution_is_recorded_with_its_usage_and_lines(
    runner_client: RunnerClient,
    runner_home: RunnerHome,
    execution_log: ExecutionLogServer,
    scenarios_bytes: bytes,
) -> None:
    grant = runner_home.grant(await runner_home.publish(scenarios_bytes))

    answer = await runner_client.execute(
        grant, "/l=2?token=hidden", method="POST", body=b"12345", request_id="request-1"
    )
    recorded = await execution_log.recorded(answer.execution_id)

    assert recorded.status == pb.EXECUTION_STATUS_OK
    assert recorded.request_id == "request-1"
    assert recorded.invocation_grant == grant
    assert (recorded.method, recorded.path) == ("POST", "/l=2")
    assert recorded.metrics.request_bytes == 5
    assert recorded.metrics.response_bytes == len(answer.http.body)
    assert recorded.metrics.http_status == 200
    assert recorded.metrics.duration_us == answer.usage.duration_us
    assert recorded.started_at.ToDatetime() <= recorded.finished_at.ToDatetime()
    assert len(recorded.log_lines) == 2


async def test_failures_are_recorded_as_what_they_are(
    runner_client: RunnerClient,
    runner_home: RunnerHome,
    execution_log: ExecutionLogServer,
    scenarios_bytes: bytes,
) -> None:
    grant = runner_home.grant(await runner_home.publish(scenarios_bytes))
    expected = {
        "/t": (pb.EXECUTION_STATUS_ERROR, "GUEST_TRAPPED"),
        "/i": (pb.EXECUTION_STATUS_TIMEOUT, "GUEST_TIMED_OUT"),
        "/m": (pb.EXECUTION_STATUS_OOM, "GUEST_OUT_OF_MEMORY"),
    }
    for url, (status, reason) in expected.items():
        answer = await runner_client.execute(grant, url, timeout_ms=1000)
        recorded = await execution_log.recorded(answer.execution_id)

        assert (recorded.status, recorded.error) == (status, reason)
        assert recorded.log_lines[-1].message == answer.failure.detail


async def test_a_flood_of_lines_is_cut_and_told(
    runner_client: RunnerClient,
    runner_home: RunnerHome,
    execution_log: ExecutionLogServer,
    scenarios_bytes: bytes,
) -> None:
    grant = runner_home.grant(await runner_home.publish(scenarios_bytes))

    answer = await runner_client.execute(grant, "/l=1000")
    recorded = await execution_log.recorded(answer.execution_id)

    assert answer.usage.host_calls == 1000
    assert len(recorded.log_lines) == 200
    assert "801" in recorded.log_lines[-1].message


async def test_a_guest_with_too_many_host_calls_is_stopped(
    runner_client: RunnerClient, runner_home: RunnerHome, scenarios_bytes: bytes
) -> None:
    grant = runner_home.grant(await runner_home.publish(scenarios_bytes))

    answer = await runner_client.execute(grant, "/l=20000")

    assert answer.failure.reason == "GUEST_TRAPPED"
    assert "host calls" in answer.failure.detail


async def test_what_ran_while_the_registry_was_down_is_recorded_later(
    runner_client: RunnerClient,
    runner_home: RunnerHome,
    execution_log: ExecutionLogServer,
    scenarios_bytes: bytes,
) -> None:
    grant = runner_home.grant(await runner_home.publish(scenarios_bytes))
    execution_log.down = True
    answers = [await runner_client.execute(grant, "/u") for _ in range(5)]
    execution_log.down = False

    for answer in answers:
        await execution_log.recorded(answer.execution_id)
