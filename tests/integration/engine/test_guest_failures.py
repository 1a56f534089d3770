import threading
import time

import pytest

from runner_service.engine import CompiledComponent, Engine, EngineSettings
from shared.errors import (
    ExtensionError,
    GuestOutOfMemoryError,
    GuestResponseInvalidError,
    GuestTimedOutError,
    GuestTrappedError,
    RunnerSaturatedError,
)
from tests.fixtures.guests.answers import Answers, limits, request
from tests.fixtures.guests.assembly import assemble
from tests.fixtures.guests.plugin import GUESTS

HOST_WORDS = ("wasmtime", "/root", "/home", "crates/", "backtrace", "0x", ".rs")


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("/t", GuestTrappedError, "gave up"),
        ("/d", GuestTrappedError, "divided by zero"),
        ("/o", GuestTrappedError, "memory outside its own"),
        ("/r", GuestTrappedError, "call stack"),
        ("/p", GuestTrappedError, "list that lies outside"),
        ("/q", GuestTrappedError, "case that its type does not have"),
        ("/k=1048577", GuestTrappedError, "1048577 bytes is longer than 1048576"),
        ("/s=0", GuestResponseInvalidError, "status 0"),
        ("/s=100", GuestResponseInvalidError, "status 100"),
        ("/s=199", GuestResponseInvalidError, "status 199"),
        ("/s=600", GuestResponseInvalidError, "status 600"),
        ("/s=65535", GuestResponseInvalidError, "status 65535"),
        ("/h=65", GuestResponseInvalidError, "65 headers"),
        ("/h=100000", GuestResponseInvalidError, "100000 headers"),
        ("/v=65525", GuestResponseInvalidError, "65536 bytes"),
        ("/c=160", GuestResponseInvalidError, "value of the extension's header 0"),
        ("/c=176", GuestResponseInvalidError, "name of the extension's header 0"),
        ("/c=192", GuestResponseInvalidError, "name of the extension's header 0"),
        ("/b=2796300", GuestResponseInvalidError, "2796000 bytes"),
        ("/m", GuestOutOfMemoryError, "its 16 MiB"),
    ],
)
def test_a_failing_guest_is_told_apart_and_the_next_call_works(
    engine: Engine,
    scenarios: CompiledComponent,
    url: str,
    error: type[ExtensionError],
    words: str,
) -> None:
    run = engine.run(scenarios, request(url), Answers(), limits())
    assert run.response is None
    assert type(run.failure) is error
    assert words in run.failure.message
    assert not any(word in run.failure.message for word in HOST_WORDS)
    after = engine.run(scenarios, request("/s=201"), Answers(), limits())
    assert after.response is not None
    assert after.response.status == 201


def test_headers_just_within_the_limits_pass(engine: Engine, scenarios: CompiledComponent) -> None:
    run = engine.run(scenarios, request("/v=65524"), Answers(), limits())
    assert run.response is not None
    assert sum(len(name) + len(value) for name, value in run.response.headers) == 65536


def test_an_endless_loop_is_stopped(engine: Engine, scenarios: CompiledComponent) -> None:
    start = time.monotonic()
    run = engine.run(scenarios, request("/i"), Answers(), limits(timeout_ms=100))
    assert isinstance(run.failure, GuestTimedOutError)
    assert "100 ms" in run.failure.message
    assert 0.08 <= time.monotonic() - start < 2


def test_a_guest_that_computes_too_long_is_stopped_before_its_time_is_up(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    run = engine.run(
        scenarios, request("/i"), Answers(), limits(timeout_ms=60_000, computing_ms=50)
    )
    assert isinstance(run.failure, GuestTimedOutError)
    assert "computed for more than 50 ms" in run.failure.message


def test_waiting_for_the_host_is_no_computing(engine: Engine, scenarios: CompiledComponent) -> None:
    host = Answers({"logging.log-info": lambda _: time.sleep(0.2)})
    run = engine.run(scenarios, request("/l=3"), host, limits(timeout_ms=60_000, computing_ms=150))
    assert run.response is not None
    assert len(host.calls) == 3


def test_a_loop_in_the_start_function_is_stopped(engine: Engine) -> None:
    guest = engine.compile(
        assemble("""(module
          (func $start (loop $l (br $l))) (start $start)
          (func (export "handler") (param i32) (result i32) unreachable))""")
    )
    run = engine.run(guest, request("/"), Answers(), limits(timeout_ms=50))
    assert isinstance(run.failure, GuestTimedOutError)


def test_a_guest_that_returns_after_a_long_host_call_is_stopped(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    host = Answers({"logging.log-info": lambda _: time.sleep(0.2)})
    run = engine.run(scenarios, request("/l=1000"), host, limits(timeout_ms=50))
    assert isinstance(run.failure, GuestTimedOutError)
    assert len(host.calls) == 1


def test_growing_past_the_limit_is_refused_to_the_guest(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    within = engine.run(scenarios, request("/g=100"), Answers(), limits(memory_mib=16))
    beyond = engine.run(scenarios, request("/g=255"), Answers(), limits(memory_mib=16))
    assert within.response is not None
    assert within.response.status == 200
    assert beyond.response is not None
    assert beyond.response.status == 507


def test_a_guest_that_starts_larger_than_its_limit_is_out_of_memory(engine: Engine) -> None:
    guest = engine.compile(
        assemble("""(module (memory 300)
          (func (export "handler") (param i32) (result i32) unreachable))""")
    )
    run = engine.run(guest, request("/"), Answers(), limits(memory_mib=16))
    assert isinstance(run.failure, GuestOutOfMemoryError)


def test_endless_recursion_traps_on_the_smallest_thread_that_is_allowed(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    failures: list[ExtensionError | None] = []

    def call() -> None:
        failures.append(engine.run(scenarios, request("/r"), Answers(), limits()).failure)

    before = threading.stack_size(1 << 20)
    try:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert isinstance(failures[0], GuestTrappedError)


def test_an_exhausted_pool_is_the_platforms_failure_and_passes() -> None:
    with Engine(settings=EngineSettings(max_instances=1)) as small:
        guest = small.compile(
            assemble("""(module
              (import "alga:extension/logging" "log-info" (func $log (param i32 i32)))
              (func (export "handler") (param i32) (result i32)
                (call $log (i32.const 0) (i32.const 1)) unreachable))""")
        )

        def nested(_: object) -> None:
            with pytest.raises(RunnerSaturatedError):
                small.run(guest, request("/"), Answers(), limits())

        host = Answers({"logging.log-info": nested})
        for _ in range(2):
            run = small.run(guest, request("/"), host, limits())
            assert isinstance(run.failure, GuestTrappedError)
        assert len(host.calls) == 2


def test_an_engine_without_a_pool_limits_guests_alike() -> None:
    with Engine(settings=EngineSettings(pooling=False)) as plain:
        guest = plain.compile(
            assemble("""(module (import "libc" "memory" (memory 2))
              (func (export "handler") (param i32) (result i32)
                (if (i32.ne (memory.grow (i32.const 10000)) (i32.const -1)) (then unreachable))
                (loop $l (br $l)) unreachable))""")
        )
        run = plain.run(guest, request("/"), Answers(), limits(timeout_ms=50))
        assert isinstance(run.failure, GuestTimedOutError)


@pytest.fixture(scope="module")
def javascript(engine: Engine) -> CompiledComponent:
    """A QuickJS guest; see js/hostile.js."""
    return engine.compile((GUESTS / "hostile.wasm").read_bytes())


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("/throw", GuestTrappedError, "thrown by the guest"),
        ("/loop", GuestTimedOutError, "200 ms"),
        ("/recurse", GuestTrappedError, "call stack"),
        ("/alloc?mb=64", GuestOutOfMemoryError, "its 32 MiB"),
        ("/status?code=99", GuestResponseInvalidError, "status 99"),
        ("/headers?n=65", GuestResponseInvalidError, "65 headers"),
        ("/split", GuestResponseInvalidError, "header 0"),
    ],
)
def test_a_failing_javascript_guest_is_told_apart(
    engine: Engine,
    javascript: CompiledComponent,
    url: str,
    error: type[ExtensionError],
    words: str,
) -> None:
    bounds = limits(memory_mib=32, timeout_ms=200)
    run = engine.run(javascript, request(url), Answers(), bounds)
    assert type(run.failure) is error
    assert words in run.failure.message
    assert len(run.failure.message) <= 500
    after = engine.run(javascript, request("/echo", b"still here"), Answers(), bounds)
    assert after.response is not None
    assert after.response.body == b"still here"
