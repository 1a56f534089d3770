"""A call that goes well, and what the guest sees of it."""

from uuid import uuid4

import pytest

from runner_service.bootstrap import running
from shared.pb.runner.v1 import runner_service_pb2 as pb
from tests.fixtures.rpc_errors import told
from tests.fixtures.runner import RunnerClient, RunnerHome, client_of


@pytest.fixture
async def grant(runner_home: RunnerHome, scenarios_bytes: bytes) -> str:
    return runner_home.grant(await runner_home.publish(scenarios_bytes))


async def test_the_guest_gets_the_request_and_its_answer_comes_back(
    runner_client: RunnerClient, grant: str
) -> None:
    answer = await runner_client.execute(
        grant, "/e", method="POST", body=b"\0\xff body", headers={"x-one": "1", "x-two": "2"}
    )

    assert answer.http.status == 200
    assert [(header.name, header.value) for header in answer.http.headers] == [
        ("x-one", "1"),
        ("x-two", "2"),
    ]
    assert answer.http.body == b"\0\xff body"


async def test_the_url_reaches_the_guest_with_its_query(
    runner_client: RunnerClient, grant: str
) -> None:
    answer = await runner_client.execute(grant, "/u/a%20b?c=d&e")

    assert answer.http.body == b"/u/a%20b?c=d&e"


async def test_usage_and_an_execution_id_come_with_the_answer(
    runner_client: RunnerClient, grant: str
) -> None:
    cold = await runner_client.execute(grant, "/l=3")
    warm = await runner_client.execute(grant, "/l=3")

    assert cold.usage.cold_start
    assert not warm.usage.cold_start
    assert warm.usage.host_calls == 3
    assert 0 < warm.usage.guest_us <= warm.usage.duration_us
    assert cold.execution_id != warm.execution_id


async def test_the_context_is_what_the_grant_says(
    runner_client: RunnerClient, runner_home: RunnerHome, scenarios_bytes: bytes
) -> None:
    tenant_id = uuid4()
    published = await runner_home.publish(scenarios_bytes)

    answer = await runner_client.execute(runner_home.grant(published, tenant_id=tenant_id), "/x")

    assert answer.http.body == str(tenant_id).encode()


async def test_the_config_reaches_the_guest(
    runner_client: RunnerClient, runner_home: RunnerHome, scenarios_bytes: bytes
) -> None:
    config = '{"greeting":"good day"}'
    published = await runner_home.publish(scenarios_bytes)

    answer = await runner_client.execute(
        runner_home.grant(published, config_json=config), "/y", config_json=config
    )

    assert answer.http.body == b"good day"


async def test_storage_without_the_capability_is_denied_and_counted(
    runner_client: RunnerClient, runner_home: RunnerHome, scenarios_bytes: bytes
) -> None:
    published = await runner_home.publish(scenarios_bytes)

    answer = await runner_client.execute(
        runner_home.grant(published, capabilities=frozenset()), "/n"
    )

    denied = 2  # its place in storage-error; the guest answers 404 plus that
    assert answer.http.status == 404 + denied
    assert answer.usage.denied_host_calls == 1


async def test_a_guest_made_by_componentize_qjs_runs(
    runner_client: RunnerClient, runner_home: RunnerHome, hostile_bytes: bytes
) -> None:
    published = await runner_home.publish(hostile_bytes)

    answer = await runner_client.execute(
        runner_home.grant(published), "/echo", method="POST", body=b"js"
    )

    assert (answer.http.status, answer.http.body) == (200, b"js")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"method": "get"}, "ARGUMENT_INVALID"),
        ({"url": "e"}, "ARGUMENT_INVALID"),
        ({"url": "/a b"}, "ARGUMENT_INVALID"),
        ({"url": "/" + "a" * 20_000}, "ARGUMENT_INVALID"),
        ({"headers": {f"x-{n}": "v" for n in range(101)}}, "ARGUMENT_INVALID"),
        ({"headers": {"x-large": "v" * 65_536}}, "ARGUMENT_INVALID"),
        ({"config_json": "x" * 65_537}, "ARGUMENT_INVALID"),
        ({"user": pb.User(user_name="n" * 1025)}, "ARGUMENT_INVALID"),
        ({"body": b"\0" * (10 * 1024 * 1024 + 1)}, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_what_is_too_large_or_misshapen_is_refused(
    runner_client: RunnerClient, grant: str, fields: dict[str, object], reason: str
) -> None:
    with told() as refusal:
        await runner_client.execute(grant, **fields)  # type: ignore[arg-type]

    assert refusal.reason == reason


async def test_only_the_gateway_may_execute(runner_home: RunnerHome, grant: str) -> None:
    async with (
        running(runner_home.settings()) as runner,
        client_of(runner.port, runner_home.operator_key) as operator,
    ):
        with told() as refusal:
            await operator.execute(grant)

    assert refusal.reason == "FORBIDDEN"
