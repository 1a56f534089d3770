"""What the gateway refuses by itself, over real sockets, down to the bytes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway_shim import http_server
from tests.fixtures.gateway import GatewayRig, StartRig
from tests.fixtures.tokens import TENANT_B

MIB = 1024 * 1024


@pytest.fixture(scope="module")
async def gateway(start_rig: StartRig) -> AsyncIterator[GatewayRig]:
    async with start_rig(max_body_bytes=64 * 1024, body_timeout_ms=500) as rig:
        yield rig


@asynccontextmanager
async def connected(
    rig: GatewayRig,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.gateway.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def head(rig: GatewayRig, line: str, *headers: str) -> bytes:
    token = rig.issuer.headers()["authorization"]
    return "\r\n".join(
        [line, "host: gateway.test", f"authorization: {token}", *headers, "", ""]
    ).encode("latin-1")


GET = "GET /api/ext/acme.agreements/agreements HTTP/1.1"
POST = "POST /api/ext/acme.agreements/agreements HTTP/1.1"


async def sent(rig: GatewayRig, data: bytes, seconds: float = 5) -> bytes:
    """All that comes back until the server closes, or is silent for a while."""
    found = b""
    async with connected(rig) as (reader, writer):
        writer.write(data)
        try:
            async with asyncio.timeout(seconds):
                while chunk := await reader.read(65536):
                    found += chunk
        except TimeoutError:
            pass
    return found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def problem_of(answer: bytes) -> dict[str, str]:
    parsed: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return parsed


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/nothing", 404, "endpoint_not_found"),
        ("/agreements/1/2", 404, "endpoint_not_found"),
        ("", 404, "endpoint_not_found"),
        ("/../agreements", 400, "argument_invalid"),
        ("/%2e%2e/agreements", 400, "argument_invalid"),
        ("/agreements%2f1", 400, "argument_invalid"),
        ("/agreements/%252e", 400, "argument_invalid"),
        ("//agreements", 400, "argument_invalid"),
        ("/agreements/a%00b", 400, "argument_invalid"),
        ("/agreements/a\\b", 400, "argument_invalid"),
        ("/agreements/" + "x" * 2100, 400, "argument_invalid"),
        ("/agreements?" + "x" * 8200, 400, "argument_invalid"),
    ],
)
async def test_an_address_that_is_not_declared_or_not_plain(
    gateway: GatewayRig, path: str, status: int, reason: str
) -> None:
    line = f"GET /api/ext/acme.agreements{path} HTTP/1.1"
    answer = await sent(gateway, head(gateway, line, "connection: close"))
    assert status_of(answer) == status
    assert problem_of(answer)["reason"] == reason
    assert not gateway.runner.requests


@pytest.mark.parametrize("raw", ["/api/ext%2Facme.agreements/agreements", "/api%2fext/a.b/c"])
async def test_an_encoded_prefix_is_not_ours(gateway: GatewayRig, raw: str) -> None:
    answer = await sent(gateway, head(gateway, f"GET {raw} HTTP/1.1", "connection: close"))
    assert status_of(answer) == 404
    assert problem_of(answer)["reason"] == "endpoint_not_found"


async def test_a_declared_path_with_another_method_is_told_which(gateway: GatewayRig) -> None:
    async with gateway.http.delete(gateway.url()) as got:
        assert got.status == 405
        assert got.headers["allow"] == "GET, HEAD, POST"
        assert (await got.json())["reason"] == "method_not_allowed"
    async with gateway.http.options(gateway.url()) as got:
        assert got.status == 405


async def test_syntax_is_judged_before_identity_and_identity_before_all_else(
    gateway: GatewayRig,
) -> None:
    nobody = {"authorization": ""}
    cases = [
        ("PROPFIND", gateway.url("/.."), nobody, 405),
        ("GET", gateway.url("/.."), nobody, 400),
        ("GET", gateway.url(extension="acme.other"), nobody, 401),
        ("GET", gateway.url("/nothing"), nobody, 401),
        ("GET", gateway.url("/nothing"), {"x-tenant-id": str(TENANT_B)}, 403),
        ("GET", gateway.url("/nothing", extension="acme.other"), {}, 404),
    ]
    for method, url, headers, status in cases:
        async with gateway.http.request(method, url, headers=headers) as got:
            assert got.status == status, (method, url)
    large = f"POST /api/ext/acme.agreements/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: {MIB}"
    answer = await sent(gateway, f"{large}\r\n\r\n".encode(), 0.5)
    assert status_of(answer) == 401


async def test_a_body_that_says_it_is_too_large_is_not_read(gateway: GatewayRig) -> None:
    answer = await sent(gateway, head(gateway, POST, f"content-length: {MIB}"))
    assert status_of(answer) == 413
    assert problem_of(answer)["reason"] == "payload_too_large"
    assert b"connection: close" in answer


async def test_a_client_that_asks_first_is_not_told_to_go_on(gateway: GatewayRig) -> None:
    asking = head(gateway, POST, f"content-length: {MIB}", "expect: 100-continue")
    answer = await sent(gateway, asking)
    assert status_of(answer) == 413
    assert b"100 Continue" not in answer


async def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(
    gateway: GatewayRig,
) -> None:
    for size, status in ((64 * 1024, 200), (64 * 1024 + 1, 413)):
        async with gateway.http.post(gateway.url(), data=b"x" * size) as got:
            assert got.status == status
    gateway.runner.requests.clear()


async def test_a_chunked_body_is_stopped_at_the_limit(gateway: GatewayRig) -> None:
    async with connected(gateway) as (_, writer):
        writer.write(head(gateway, POST, "transfer-encoding: chunked"))
        chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
        sent_bytes = 0
        with contextlib.suppress(ConnectionError):  # this client does not look at the answer
            while sent_bytes < 100 * MIB:
                writer.write(chunk)
                await writer.drain()
                sent_bytes += len(chunk)
    assert sent_bytes < 10 * MIB  # the sockets' own buffers, and what is read to be polite
    assert not gateway.runner.requests


async def test_a_client_that_sends_all_of_a_large_body_reads_why_it_was_refused(
    gateway: GatewayRig,
) -> None:
    async with connected(gateway) as (reader, writer):
        writer.write(head(gateway, POST, f"content-length: {70 * 1024}") + b"x" * 70 * 1024)
        await writer.drain()
        answer = await reader.read()
    assert status_of(answer) == 413
    assert problem_of(answer)["reason"] == "payload_too_large"


async def test_a_body_that_does_not_come_is_not_waited_for(gateway: GatewayRig) -> None:
    answer = await sent(gateway, head(gateway, POST, "content-length: 10") + b"abc")
    assert status_of(answer) == 408
    assert problem_of(answer)["reason"] == "request_timed_out"


async def test_a_client_that_leaves_within_its_body_starts_nothing(gateway: GatewayRig) -> None:
    async with connected(gateway) as (_, writer):
        writer.write(head(gateway, POST, "content-length: 10") + b"abc")
        await writer.drain()
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)
    assert not gateway.runner.requests


SMUGGLED = "GET /api/ext/acme.agreements/agreements/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["content-length: 5", "transfer-encoding: chunked"], "0\r\n\r\n" + SMUGGLED),
        (["transfer-encoding: chunked", "content-length: 5"], "0\r\n\r\n" + SMUGGLED),
        (["content-length: 0", f"content-length: {len(SMUGGLED)}"], SMUGGLED),
        (["content-length: 0, 5"], SMUGGLED),
        (["content-length: +5"], SMUGGLED),
        (["content-length: 0x5"], SMUGGLED),
        (["content-length: -1"], SMUGGLED),
        (["content-length: 99999999999999999999999"], SMUGGLED),
        (["transfer-encoding: xchunked"], "0\r\n\r\n" + SMUGGLED),
        (["transfer-encoding: chunked, identity"], "0\r\n\r\n" + SMUGGLED),
        (["transfer-encoding : chunked"], "0\r\n\r\n" + SMUGGLED),
        (["transfer-encoding: chunked"], "0x0\r\n\r\n" + SMUGGLED),
        (["transfer-encoding: chunked"], "-1\r\n\r\n" + SMUGGLED),
        (["transfer-encoding: chunked"], "fffffffffffffffff\r\n\r\n" + SMUGGLED),
        (["transfer-encoding: chunked"], "1\r\nab\r\n0\r\n\r\n" + SMUGGLED),
        (["x-a: b", " transfer-encoding: chunked"], "0\r\n\r\n" + SMUGGLED),
        (["x-a: b\rtransfer-encoding: chunked"], "0\r\n\r\n" + SMUGGLED),
        (["x-a: b\x00c"], ""),
        (["x a: b"], ""),
        ([": b"], ""),
        (["no colon"], ""),
        (["host: other.test"], ""),
    ],
)  # fmt: skip
async def test_a_request_with_two_readings_is_refused_and_the_connection_closed(
    gateway: GatewayRig, headers: list[str], body: str
) -> None:
    gateway.runner.requests.clear()
    answer = await sent(gateway, head(gateway, POST, *headers) + body.encode(), 2)
    assert status_of(answer) in (400, 413), answer
    assert answer.count(b"HTTP/1.1 ") == 1, "the smuggled request was answered"
    assert not any("smuggled" in request.http.url for request in gateway.runner.requests)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 64,
        b"GET /api/ext/a.b/c\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET * HTTP/1.1\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
)  # fmt: skip
async def test_what_is_no_http_is_told_so_as_a_problem(gateway: GatewayRig, data: bytes) -> None:
    answer = await sent(gateway, data, 1)
    assert status_of(answer) in (400, 404, 405)
    assert b"application/problem+json" in answer
    assert b"Traceback" not in answer


async def test_a_head_that_is_too_long_is_refused(gateway: GatewayRig) -> None:
    answer = await sent(gateway, head(gateway, GET, "x-long: " + "x" * 17_000))
    assert status_of(answer) == 431
    assert problem_of(answer)["reason"] == "headers_too_large"


async def test_a_header_without_an_end_is_cut_off(gateway: GatewayRig) -> None:
    async with connected(gateway) as (_, writer):
        writer.write(head(gateway, GET, "x-long: ")[:-4])
        sent_bytes = 0
        with contextlib.suppress(ConnectionError):  # this client does not look at the answer
            while sent_bytes < 10 * MIB:
                writer.write(b"x" * 1000)
                await writer.drain()
                sent_bytes += 1000
                await asyncio.sleep(0)
    assert sent_bytes < MIB


async def test_a_head_that_trickles_is_cut_off(
    gateway: GatewayRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.3)
    loop = asyncio.get_running_loop()
    for opening in (b"", b"GET /", b"\r\n"):
        async with connected(gateway) as (reader, writer):
            started = loop.time()
            writer.write(opening)
            assert await asyncio.wait_for(reader.read(), 2) == b""
            assert loop.time() - started < 1
    # A good connection is not: neither while it is served, nor while it is kept open.
    async with connected(gateway) as (reader, writer):
        for _ in range(2):
            writer.write(head(gateway, GET))
            assert b" 200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
            await reader.readexactly(len("/agreements"))
            await asyncio.sleep(0.5)


async def test_pipelined_requests_are_answered_in_order(gateway: GatewayRig) -> None:
    first = head(gateway, GET.replace("/agreements HTTP", "/agreements/1 HTTP"))
    second = head(
        gateway, GET.replace("/agreements HTTP", "/agreements/2 HTTP"), "connection: close"
    )
    answer = await sent(gateway, first + second)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"/agreements/1") < answer.index(b"/agreements/2")


async def test_a_websocket_is_not_opened(gateway: GatewayRig) -> None:
    upgrade = ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"]
    answer = await sent(gateway, head(gateway, GET, *upgrade, "sec-websocket-key: abc"), 1)
    assert b"101" not in answer.split(b"\r\n")[0]


async def test_the_gateway_says_nothing_at_other_paths(gateway: GatewayRig) -> None:
    for path in ("/", "/api/ext", "/docs", "/openapi.json", "/metrics/", "/%00"):
        async with gateway.http.get(f"{gateway.gateway.url}{path}", allow_redirects=False) as got:
            assert got.status == 404, path
            assert got.content_type == "application/problem+json"
            assert got.headers["x-request-id"]
