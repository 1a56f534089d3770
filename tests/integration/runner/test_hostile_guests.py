"""Guests that trap, loop, hoard or lie: an answer in band, and the runner serves the next call."""

import asyncio

import pytest

from tests.fixtures.runner import RunnerClient, RunnerHome

SCENARIOS = [
    ("/t", "GUEST_TRAPPED"),
    ("/d", "GUEST_TRAPPED"),
    ("/o", "GUEST_TRAPPED"),
    ("/r", "GUEST_TRAPPED"),
    ("/i", "GUEST_TIMED_OUT"),
    ("/m", "GUEST_OUT_OF_MEMORY"),
    ("/s=99", "GUEST_RESPONSE_INVALID"),
    ("/c=160", "GUEST_RESPONSE_INVALID"),
]
JAVASCRIPT = [
    ("/throw", "GUEST_TRAPPED"),
    ("/recurse", "GUEST_TRAPPED"),
    ("/loop", "GUEST_TIMED_OUT"),
    ("/alloc?mb=1000", "GUEST_OUT_OF_MEMORY"),
    ("/status?code=99", "GUEST_RESPONSE_INVALID"),
    ("/split", "GUEST_RESPONSE_INVALID"),
]


@pytest.fixture
async def grant(runner_home: RunnerHome, scenarios_bytes: bytes) -> str:
    return runner_home.grant(await runner_home.publish(scenarios_bytes))


@pytest.fixture
async def javascript_grant(runner_home: RunnerHome, hostile_bytes: bytes) -> str:
    return runner_home.grant(await runner_home.publish(hostile_bytes))


@pytest.mark.parametrize(("url", "reason"), SCENARIOS)
async def test_a_failure_is_told_in_band_and_the_next_call_works(
    runner_client: RunnerClient, grant: str, url: str, reason: str
) -> None:
    failed = await runner_client.execute(grant, url, timeout_ms=1000)
    after = await runner_client.execute(grant, "/u")

    assert failed.failure.reason == reason
    assert failed.usage.duration_us > 0
    assert after.http.body == b"/u"


@pytest.mark.parametrize(("url", "reason"), JAVASCRIPT)
async def test_a_javascript_failure_is_told_in_band_and_the_next_call_works(
    runner_client: RunnerClient, javascript_grant: str, url: str, reason: str
) -> None:
    await runner_client.warm(javascript_grant)

    failed = await runner_client.execute(javascript_grant, url, timeout_ms=3000)
    after = await runner_client.execute(javascript_grant, "/echo", body=b"alive")

    assert failed.failure.reason == reason
    assert after.http.body == b"alive"


async def test_a_failure_names_nothing_of_the_platform(
    runner_client: RunnerClient, grant: str
) -> None:
    failed = await runner_client.execute(grant, "/t")

    assert len(failed.failure.detail) <= 500
    assert "wasmtime" not in failed.failure.detail
    assert "runner_service" not in failed.failure.detail


async def test_a_looping_neighbour_does_not_stop_other_calls(
    runner_client: RunnerClient, grant: str
) -> None:
    looping = asyncio.create_task(runner_client.execute(grant, "/i", timeout_ms=2000))
    beside = [await runner_client.execute(grant, "/u") for _ in range(20)]

    assert all(answer.http.body == b"/u" for answer in beside)
    assert (await looping).failure.reason == "GUEST_TIMED_OUT"


async def test_a_guest_ends_with_the_patience_of_its_caller(
    runner_client: RunnerClient, grant: str
) -> None:
    """The failure is in band: it is there before the caller's own deadline strikes."""
    await runner_client.warm(grant)

    failed = await runner_client.execute(grant, "/i", timeout_ms=30_000, timeout_seconds=2)

    assert failed.failure.reason == "GUEST_TIMED_OUT"
