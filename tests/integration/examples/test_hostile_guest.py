"""What the QuickJS test guest does to its host, by path: other tests build on it."""

import pytest

from runner_service.engine import CompiledComponent, Engine, GuestRun
from shared.errors import (
    GuestOutOfMemoryError,
    GuestResponseInvalidError,
    GuestTimedOutError,
    GuestTrappedError,
)
from tests.fixtures.guests.answers import Answers, limits, request
from tests.fixtures.guests.plugin import GUESTS


@pytest.fixture(scope="session")
def hostile(engine: Engine) -> CompiledComponent:
    return engine.compile((GUESTS / "hostile.wasm").read_bytes())


def run(
    engine: Engine,
    guest: CompiledComponent,
    url: str,
    *,
    body: bytes | None = None,
    memory_mib: int = 64,
    timeout_ms: int = 5000,
) -> GuestRun:
    host = Answers({"logging.log-info": None})
    headers = (("content-type", "text/plain"),)
    return engine.run(guest, request(url, body, headers), host, limits(memory_mib, timeout_ms))


def test_echo_gives_the_body_back(engine: Engine, hostile: CompiledComponent) -> None:
    body = bytes(range(256)) * 16
    response = run(engine, hostile, "/echo", body=body).response
    assert response is not None
    assert (response.status, response.body) == (200, body)
    assert response.headers == (("content-type", "text/plain"),)


@pytest.mark.parametrize(
    ("url", "failure"),
    [
        ("/throw", GuestTrappedError),
        ("/recurse", GuestTrappedError),
        ("/loop", GuestTimedOutError),
        ("/alloc?mb=200", GuestOutOfMemoryError),
        ("/status?code=99", GuestResponseInvalidError),
        ("/split", GuestResponseInvalidError),
        ("/headers?n=65", GuestResponseInvalidError),
    ],
)
def test_each_misdeed_fails_by_its_own_name_and_the_next_call_works(
    engine: Engine, hostile: CompiledComponent, url: str, failure: type[Exception]
) -> None:
    assert type(run(engine, hostile, url, timeout_ms=300).failure) is failure
    after = run(engine, hostile, "/echo", body=b"alive").response
    assert after is not None
    assert after.body == b"alive"


@pytest.mark.parametrize("mib", [1, 20])
def test_memory_within_the_limit_is_given(
    engine: Engine, hostile: CompiledComponent, mib: int
) -> None:
    response = run(engine, hostile, f"/alloc?mb={mib}").response
    assert response is not None
    assert response.body == f"{mib} MiB".encode()


def test_statuses_and_sizes_are_the_callers_choice(
    engine: Engine, hostile: CompiledComponent
) -> None:
    teapot = run(engine, hostile, "/status?code=418").response
    assert teapot is not None
    assert (teapot.status, teapot.body) == (418, None)
    big = run(engine, hostile, "/big?bytes=100000").response
    assert big is not None
    assert big.body == bytes(100_000)
    unknown = run(engine, hostile, "/nothing").response
    assert unknown is not None
    assert unknown.status == 404


def test_each_line_is_logged_by_a_call_of_its_own(
    engine: Engine, hostile: CompiledComponent
) -> None:
    host = Answers({"logging.log-info": None})
    engine.run(hostile, request("/log?n=3"), host, limits(64))
    assert host.calls == [("logging.log-info", (f"line {n}",)) for n in (1, 2, 3)]
