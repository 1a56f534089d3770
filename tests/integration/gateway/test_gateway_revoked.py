"""A runner that knows of a change before the gateway does costs no call."""

import pytest

from shared.errors import InvocationGrantRevokedError
from shared.pb.runner.v1 import runner_service_pb2 as runner_pb
from tests.fixtures.gateway import GatewayRig, answer


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_call_under_a_void_grant_is_made_again_under_a_new_one(
    rig: GatewayRig, method: str
) -> None:
    async with rig.http.get(rig.url()) as warm:
        assert warm.status == 200
    void = rig.runner.last.invocation_grant

    async def handle(request: runner_pb.ExecuteRequest) -> runner_pb.ExecuteResponse:
        if request.invocation_grant == void:
            raise InvocationGrantRevokedError
        return answer(200, request.http.body)

    rig.runner.handle, rig.runner.says_when_it_starts = handle, False
    body = b"once" if method == "POST" else None
    async with rig.http.request(method, rig.url(), data=body) as response:
        assert (response.status, await response.read()) == (200, body or b"")
    assert rig.registry.calls == 2


async def test_what_is_gone_by_then_is_not_available(rig: GatewayRig) -> None:
    async with rig.http.get(rig.url()) as warm:
        assert warm.status == 200
    rig.registry.installs.clear()

    async def handle(_request: runner_pb.ExecuteRequest) -> runner_pb.ExecuteResponse:
        raise InvocationGrantRevokedError

    rig.runner.handle = handle
    async with rig.http.get(rig.url()) as response:
        assert response.status == 404
        assert (await response.json())["reason"] == "extension_not_available"


async def test_a_grant_that_is_void_at_once_is_told_after_one_more_try(rig: GatewayRig) -> None:
    async def handle(_request: runner_pb.ExecuteRequest) -> runner_pb.ExecuteResponse:
        raise InvocationGrantRevokedError

    rig.runner.handle = handle
    async with rig.http.get(rig.url()) as response:
        assert response.status == 503
        assert (await response.json())["reason"] == "invocation_grant_revoked"
    assert len(rig.runner.requests) == 2
