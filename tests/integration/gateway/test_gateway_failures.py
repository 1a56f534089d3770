"""What callers see when a guest, a runner or the registry fails; and what is tried again."""

import asyncio
import json
from contextlib import AsyncExitStack

import aiohttp
import pytest

from gateway_shim.bootstrap import running
from shared.errors import (
    BundleUnavailableError,
    BundleUntrustedError,
    CompilerUnavailableError,
    ComponentInvalidError,
    ExtensionError,
    ForbiddenError,
    InvocationGrantInvalidError,
    RegistryUnavailableError,
    RunnerDrainingError,
    RunnerSaturatedError,
    UnauthenticatedError,
)
from shared.pb.runner.v1 import runner_service_pb2 as pb
from tests.fixtures.gateway import (
    GatewayRig,
    StartRig,
    SteeredRegistry,
    SteeredRunner,
    answer,
    gateway_settings,
    registry_serving,
    runner_serving,
)
from tests.fixtures.tokens import ServiceKeys, UserIssuer
from tests.integration.gateway.ports import free_port

SECRET = "canary-of-the-runner"


def guest_failure(reason: str) -> pb.ExecuteResponse:
    return pb.ExecuteResponse(failure=pb.GuestFailure(reason=reason, detail="It did."))


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("GUEST_TRAPPED", 502),
        ("GUEST_OUT_OF_MEMORY", 502),
        ("GUEST_RESPONSE_INVALID", 502),
        ("GUEST_TIMED_OUT", 504),
    ],
)
async def test_how_a_guest_ended_is_told_and_never_tried_again(
    rig: GatewayRig, reason: str, status: int
) -> None:
    async def handle(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        return guest_failure(reason)

    rig.runner.handle = handle
    async with rig.http.get(rig.url()) as got:
        assert got.status == status
        document = await got.json(content_type="application/problem+json")
    assert document["reason"] == reason.lower()
    assert document["detail"] == "It did."
    assert len(rig.runner.requests) == 1


@pytest.mark.parametrize("result", [pb.ExecuteResponse(), guest_failure("GUEST_HAPPY")])
async def test_a_result_that_is_none_is_the_platforms_fault(
    rig: GatewayRig, result: pb.ExecuteResponse
) -> None:
    async def handle(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        return result

    rig.runner.handle = handle
    async with rig.http.get(rig.url()) as got:
        assert got.status == 500
        assert (await got.json(content_type=None))["reason"] == "internal"


@pytest.mark.parametrize("bad", [answer(99), answer(200, b"", location="//evil.test")])
async def test_a_guests_answer_that_cannot_be_sent_is_a_502(
    rig: GatewayRig, bad: pb.ExecuteResponse
) -> None:
    async def handle(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        return bad

    rig.runner.handle = handle
    async with rig.http.get(rig.url()) as got:
        assert got.status == 502
        assert (await got.json(content_type=None))["reason"] == "guest_response_invalid"


@pytest.mark.parametrize(
    ("error", "method", "status", "attempts"),
    [
        (RunnerDrainingError(), "POST", 503, 3),
        (RunnerSaturatedError(retry_after_ms=2500), "POST", 503, 3),
        (BundleUnavailableError(), "POST", 503, 3),
        (CompilerUnavailableError(), "POST", 503, 3),
        (BundleUntrustedError(), "GET", 502, 1),
        (ComponentInvalidError(), "GET", 502, 1),
        (InvocationGrantInvalidError(), "GET", 502, 1),
        (UnauthenticatedError(SECRET), "GET", 500, 1),
        (ForbiddenError(SECRET), "GET", 500, 1),
        (ValueError(SECRET), "GET", 500, 1),
    ],
)
async def test_a_runners_refusal_is_tried_elsewhere_when_it_may_pass(
    rig: GatewayRig, error: Exception, method: str, status: int, attempts: int
) -> None:
    async def handle(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        raise error

    rig.runner.handle = handle
    async with rig.http.request(method, rig.url()) as got:
        text = await got.text()
        assert got.status == status
        expected = (
            error.reason if isinstance(error, ExtensionError) and status != 500 else "internal"
        )
        assert json.loads(text)["reason"] == expected.lower()
        if isinstance(error, RunnerSaturatedError):
            assert got.headers["retry-after"] == "3"
    assert SECRET not in text
    assert len(rig.runner.requests) == attempts


async def test_a_call_that_was_refused_once_is_answered_by_the_second_try(rig: GatewayRig) -> None:
    async def handle(request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        if len(rig.runner.requests) == 1:
            raise RunnerDrainingError
        return answer(200, request.http.body)

    rig.runner.handle = handle
    async with rig.http.post(rig.url(), data=b"once") as got:
        assert got.status == 200
        assert await got.read() == b"once"


async def test_a_guest_that_is_too_slow_is_a_504(start_rig: StartRig) -> None:
    cancelled = asyncio.Event()

    async def handle(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return answer()

    async with start_rig(timeout_ms=200) as rig:
        rig.runner.handle = handle
        async with rig.http.get(rig.url()) as got:
            assert got.status == 504
            assert (await got.json(content_type=None))["reason"] == "deadline_exceeded"
        assert rig.runner.last.timeout_ms <= 200
        await asyncio.wait_for(cancelled.wait(), 2)


async def test_a_client_that_leaves_cancels_its_call_and_no_other(rig: GatewayRig) -> None:
    started, cancelled, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        if request.http.url == "/agreements/stays":
            await go_on.wait()
            return answer()
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return answer()

    rig.runner.handle = handle
    stays = asyncio.create_task(rig.http.get(rig.url("/agreements/stays")).__aenter__())
    leaves = asyncio.create_task(rig.http.get(rig.url("/agreements/leaves")).__aenter__())
    await asyncio.wait_for(started.wait(), 2)
    leaves.cancel()
    await asyncio.wait_for(cancelled.wait(), 2)
    go_on.set()
    got = await stays
    assert got.status == 200
    got.close()


async def test_the_registry_being_away_is_a_503_for_cold_calls_only(rig: GatewayRig) -> None:
    async with rig.http.get(rig.url()) as got:
        assert got.status == 200
    rig.registry.failure = RegistryUnavailableError()
    async with rig.http.get(rig.url()) as got:
        assert got.status == 200
    async with rig.http.get(rig.url(extension="acme.other")) as got:
        assert got.status == 503
        assert (await got.json(content_type=None))["reason"] == "registry_unavailable"
    rig.registry.failure = None
    async with rig.http.get(rig.url(extension="acme.other")) as got:
        assert got.status == 404


@pytest.mark.parametrize("failure", [UnauthenticatedError(SECRET), ValueError(SECRET)])
async def test_what_the_registry_thinks_of_the_gateway_stays_between_them(
    rig: GatewayRig, failure: Exception
) -> None:
    rig.registry.failure = failure
    async with rig.http.get(rig.url()) as got:
        assert got.status == 500
        assert SECRET not in await got.text()


async def test_a_runner_that_comes_back_between_two_calls_is_used(
    service_keys: ServiceKeys, user_issuer: UserIssuer
) -> None:
    registry = SteeredRegistry()  # type: ignore[abstract]
    runner = SteeredRunner()  # type: ignore[abstract]
    listen = f"127.0.0.1:{free_port()}"
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(registry_serving(registry, service_keys))
        settings = gateway_settings(
            service_keys, user_issuer, registry=f"127.0.0.1:{server.port}", runner=listen
        )
        gateway = await stack.enter_async_context(running(settings))
        http = await stack.enter_async_context(aiohttp.ClientSession(headers=user_issuer.headers()))
        url = f"{gateway.url}/api/ext/acme.agreements/agreements"

        async with http.post(url) as got:  # none was ever there
            assert got.status == 503
            assert (await got.json(content_type=None))["reason"] == "runner_unavailable"
            assert got.headers["retry-after"] == "1"
        for _ in range(2):
            async with runner_serving(runner, service_keys, listen), http.post(url) as got:
                assert got.status == 200
        starting = asyncio.create_task(http.post(url).__aenter__())
        await asyncio.sleep(0.2)  # the call waits for the runner, not the runner for the call
        async with runner_serving(runner, service_keys, listen):
            got = await starting
            assert got.status == 200
            got.close()


async def test_a_large_answer_over_the_limit_is_refused(start_rig: StartRig) -> None:
    async def handle(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        return answer(200, b"x" * 1025)

    async with start_rig(max_body_bytes=1024) as rig:
        rig.runner.handle = handle
        async with rig.http.get(rig.url()) as got:
            assert got.status == 502
            assert (await got.json(content_type=None))["reason"] == "guest_response_invalid"
