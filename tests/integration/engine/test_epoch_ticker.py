import threading
import time

from runner_service.engine import CompiledComponent, Engine
from runner_service.engine.ticker import PERIOD_MS, ticks
from shared.errors import GuestTimedOutError
from tests.fixtures.guests.answers import Answers, limits, request


def test_time_passes_for_guests_while_a_thread_holds_the_interpreter_lock(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    python_ticks = 0
    done = threading.Event()

    def count() -> None:
        nonlocal python_ticks
        while not done.wait(PERIOD_MS / 1000):
            python_ticks += 1

    held: list[tuple[float, int]] = []

    def hold(_: object) -> None:
        start, before = time.monotonic(), python_ticks
        sum(range(50_000_000))  # one C loop: the lock is not given up
        held.append((time.monotonic() - start, python_ticks - before))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        host = Answers({"logging.log-info": hold})
        run = engine.run(scenarios, request("/l=50"), host, limits(timeout_ms=100))
    finally:
        done.set()
        thread.join()
    seconds, ticks_of_python = held[0]
    assert seconds > 0.15, "the loop is too short to tell anything"
    assert ticks_of_python <= 2, "the loop gave the lock up"
    assert isinstance(run.failure, GuestTimedOutError)
    assert len(host.calls) == 1


def test_deadlines_are_rounded_up() -> None:
    assert ticks(1) == 2
    assert ticks(PERIOD_MS) == 2
    assert ticks(PERIOD_MS + 1) == 3
