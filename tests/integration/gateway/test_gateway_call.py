"""A call, through a real gateway, a real registry contract and a real runner contract."""

import asyncio
import io

import aiohttp
import pytest

from shared.pb.runner.v1 import runner_service_pb2 as pb
from tests.fixtures.gateway import EXTENSION, GatewayRig, StartRig, answer
from tests.fixtures.tokens import TENANT_A, TENANT_B


async def test_a_call_is_answered_by_the_guest(rig: GatewayRig) -> None:
    async def handle(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        return answer(201, b'{"id":1}', content_type="application/json", x_ext_page="2")

    rig.runner.handle = handle
    async with rig.http.post(
        rig.url("/agreements/?a=1&b=%20"),
        data=b'{"x":1}',
        headers={"x-request-id": "r-1", "content-type": "application/json"},
    ) as got:
        assert got.status == 201
        assert await got.read() == b'{"id":1}'
        assert got.headers["x-request-id"] == "r-1"
        assert got.headers["x-ext-page"] == "2"
        assert got.headers["content-type"] == "application/json"
        assert "server" not in got.headers
    sent = rig.runner.last
    assert (sent.http.method, sent.http.url) == ("POST", "/agreements?a=1&b=%20")
    assert sent.http.body == b'{"x":1}'
    assert ("content-type", "application/json") in [(h.name, h.value) for h in sent.http.headers]
    assert sent.request_id == "r-1"
    assert sent.config_json == '{"greeting":"hello"}'
    assert sent.invocation_grant == f"grant-{TENANT_A}-1"
    assert 0 < sent.timeout_ms <= 30_000
    assert sent.user == pb.User(
        user_id="user-1",
        user_email="user@tenant.test",
        user_name="A User",
        user_type="internal",
        client_name="Client",
    )
    assert rig.registry.request_ids == rig.runner.request_ids == ["r-1"]


async def test_a_warm_call_makes_one_rpc_and_no_other(rig: GatewayRig) -> None:
    for _ in range(10):
        async with rig.http.get(rig.url()) as got:
            assert got.status == 200
    assert rig.registry.calls == 1
    assert len(rig.runner.requests) == 10


async def test_a_burst_of_first_calls_asks_the_registry_once(rig: GatewayRig) -> None:
    async def call() -> int:
        async with rig.http.get(rig.url()) as got:
            return got.status

    assert await asyncio.gather(*[call() for _ in range(30)]) == [200] * 30
    assert rig.registry.calls == 1


async def test_a_resolve_is_not_remembered_beyond_its_time(start_rig: StartRig) -> None:
    async with start_rig(resolve_cache_ms=100) as rig:
        for wanted in (1, 2):
            async with rig.http.get(rig.url()) as got:
                assert got.status == 200
            assert rig.registry.calls == wanted
            await asyncio.sleep(0.15)


async def test_a_grant_is_not_used_to_its_last_second(rig: GatewayRig) -> None:
    rig.registry.grant_seconds = 4  # under the margin: good for this call only
    for wanted in (1, 2):
        async with rig.http.get(rig.url()) as got:
            assert got.status == 200
        assert rig.registry.calls == wanted


async def test_a_disabled_install_is_not_called_once_the_memory_of_it_is_over(
    start_rig: StartRig,
) -> None:
    async with start_rig(resolve_cache_ms=100) as rig:
        async with rig.http.get(rig.url()) as got:
            assert got.status == 200
        rig.registry.installs.clear()
        await asyncio.sleep(0.15)
        async with rig.http.get(rig.url()) as got:
            assert got.status == 404


async def test_a_missing_install_is_remembered_for_a_second_at_most(rig: GatewayRig) -> None:
    for _ in range(5):
        async with rig.http.get(rig.url(extension="acme.other")) as got:
            assert got.status == 404
            assert (await got.json())["reason"] == "extension_not_available"
    assert rig.registry.calls == 1
    rig.registry.installs.add((str(TENANT_A), "acme.other"))
    await asyncio.sleep(1.05)
    async with rig.http.get(rig.url(extension="acme.other")) as got:
        assert got.status == 200


async def test_two_tenants_see_only_their_own(rig: GatewayRig) -> None:
    headers = rig.issuer.headers(TENANT_B)
    async with rig.http.get(rig.url()) as got:
        assert got.status == 200
    async with rig.http.get(rig.url(), headers=headers) as got:
        assert got.status == 404
        assert (await got.json())["reason"] == "extension_not_available"
    rig.registry.installs.add((str(TENANT_B), EXTENSION))
    await asyncio.sleep(1.05)
    async with rig.http.get(rig.url(), headers=headers) as got:
        assert got.status == 200
    assert str(TENANT_B) in rig.runner.last.invocation_grant
    async with rig.http.get(rig.url()) as got:
        assert got.status == 200
    assert str(TENANT_A) in rig.runner.last.invocation_grant


async def test_an_extension_is_named_in_any_case(rig: GatewayRig) -> None:
    async with rig.http.get(rig.url(extension="ACME.Agreements")) as got:
        assert got.status == 200


async def test_what_the_guest_sees_is_what_was_matched(rig: GatewayRig) -> None:
    async with rig.http.get(rig.url("/%61greements/x%20y?q=%2F")) as got:
        assert await got.text() == "/agreements/x%20y?q=%2F"


async def test_head_is_a_get_without_its_body(rig: GatewayRig) -> None:
    async with rig.http.head(rig.url()) as got:
        assert got.status == 200
        assert got.headers["content-length"] == str(len("/agreements"))
        assert await got.read() == b""
    assert rig.runner.last.http.method == "GET"


async def test_no_body_is_not_an_empty_body(rig: GatewayRig) -> None:
    async with rig.http.get(rig.url()):
        assert not rig.runner.last.http.HasField("body")
    async with rig.http.post(rig.url(), data=b"", headers={"content-length": "0"}):
        assert rig.runner.last.http.HasField("body")
        assert rig.runner.last.http.body == b""


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_leaves_the_connection_usable(
    rig: GatewayRig, status: int
) -> None:
    async def handle(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        return answer(status, b"ignored")

    rig.runner.handle = handle
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(
        connector=connector, headers=rig.issuer.headers()
    ) as one_connection:
        for _ in range(2):
            async with one_connection.get(rig.url()) as got:
                assert got.status == status
                assert await got.read() == b""


@pytest.mark.parametrize("given", ["", "a b", "-x", "x" * 129, "é", "a;b"])
async def test_a_request_id_that_is_none_is_replaced(rig: GatewayRig, given: str) -> None:
    async with rig.http.get(rig.url(), headers={"x-request-id": given}) as got:
        assert got.headers["x-request-id"] != given
        assert rig.runner.last.request_id == got.headers["x-request-id"]


async def test_a_large_body_goes_both_ways(rig: GatewayRig) -> None:
    async def handle(request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        return answer(200, request.http.body)

    rig.runner.handle = handle
    body = bytes(range(256)) * 4096 * 10  # exactly 10 MiB
    async with rig.http.post(rig.url(), data=io.BytesIO(body)) as got:
        assert got.status == 200
        assert await got.read() == body


async def test_a_chunked_body_arrives_whole(rig: GatewayRig) -> None:
    async def chunks() -> object:
        for n in range(5):
            yield b"%d" % n * 1000
            await asyncio.sleep(0)

    async with rig.http.post(rig.url(), data=chunks()) as got:
        assert got.status == 200
    assert rig.runner.last.http.body == b"".join(b"%d" % n * 1000 for n in range(5))


async def test_no_identity_of_a_header_reaches_the_guest(rig: GatewayRig) -> None:
    hostile = {
        "cookie": "session=1",
        "x-alga-extension": "other",
        "x-ext-install-id": "1",
        "x-user-id": "root",
        "x-forwarded-for": "1.2.3.4",
        "x-tenant-id": str(TENANT_A),
        "proxy-authorization": "Basic x",
    }
    async with rig.http.get(rig.url(), headers=hostile) as got:
        assert got.status == 200
    names = {header.name for header in rig.runner.last.http.headers}
    assert names <= {"x-request-id", "accept", "accept-encoding", "user-agent"}
    assert rig.runner.last.user.user_id == "user-1"
    token = rig.issuer.headers()["authorization"].split(".")[0].encode()
    assert token not in rig.runner.last.SerializeToString()


async def test_a_guest_cannot_set_what_is_the_platforms(rig: GatewayRig) -> None:
    async def handle(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
        return answer(
            200,
            b"<script>",
            content_type="text/html",
            set_cookie="a=b",
            access_control_allow_origin="*",
            transfer_encoding="chunked",
            content_length="5",
            connection="close",
            x_request_id="forged",
        )

    rig.runner.handle = handle
    async with rig.http.get(rig.url(), headers={"x-request-id": "r-7"}) as got:
        assert await got.read() == b"<script>"
        assert got.headers["content-length"] == "8"
        assert got.headers["x-request-id"] == "r-7"
        assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
        for name in ("set-cookie", "access-control-allow-origin", "transfer-encoding"):
            assert name not in got.headers
