import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runner_service.abi.values import Ok, Value
from runner_service.engine import CompiledComponent, Engine
from shared.errors import InternalError
from tests.fixtures.guests.answers import Answers, limits, request

CALLS_OF_A_THREAD = 300


class OwnError(Exception):
    pass


def one_call(engine: Engine, guest: CompiledComponent, thread: int, number: int) -> str:
    """Every third call fails in the host, every third traps, every third answers."""

    def answer(*_: Value) -> Value:
        if number % 3 == 0:
            raise OwnError(f"{thread}-{number}")
        value = f"{thread}-{number}".encode()
        return Ok({"namespace": "n", "key": "k", "value": value, "revision": None})

    host = Answers({"storage.get": answer})
    try:
        run = engine.run(guest, request("/t" if number % 3 == 1 else "/n"), host, limits())
    except InternalError as error:
        return f"raised {error.__cause__!r}"
    if run.failure is not None:
        return run.failure.reason
    assert run.response is not None
    assert run.response.body is not None
    return run.response.body.decode()


def test_threads_see_their_own_answers_and_errors_only(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    def work(thread: int) -> None:
        for number in range(CALLS_OF_A_THREAD):
            expected = (
                f"raised OwnError('{thread}-{number}')",
                "GUEST_TRAPPED",
                f"{thread}-{number}",
            )
            assert one_call(engine, scenarios, thread, number) == expected[number % 3]

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, thread) for thread in range(4)]:
            done.result()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_memory_stays_flat_over_calls_traps_and_host_errors(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    def work() -> None:
        for number in range(1500):
            one_call(engine, scenarios, 0, number)
            engine.run(scenarios, request("/e", bytes(2000)), Answers(), limits())

    work()
    gc.collect()
    before = resident_bytes()
    work()
    work()
    gc.collect()
    # 6000 calls: one value of 200 bytes that is lost in each would be more than this.
    assert resident_bytes() - before < 1_000_000
