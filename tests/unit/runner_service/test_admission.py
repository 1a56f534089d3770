import asyncio
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from runner_service.admission.admission import Admission, AdmissionLimits
from runner_service.metrics import AdmissionMetrics
from shared.errors import RunnerDrainingError, RunnerSaturatedError
from shared.identifiers import TenantId

ONE, TWO, THREE = (TenantId(UUID(int=number)) for number in (1, 2, 3))


class Room:
    """An admission with calls that stay in until they are let go."""

    def __init__(self, *, running: int = 1, waiting: int = 1, per_tenant: int = 9) -> None:
        self.registry = CollectorRegistry()
        self.admission = Admission(
            limits=AdmissionLimits(running=running, waiting=waiting, per_tenant=per_tenant),
            metrics=AdmissionMetrics(self.registry),
        )
        self.started: list[str] = []
        self._doors: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def enter(self, name: str, tenant_id: TenantId = ONE) -> None:
        self._doors[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._stay(name, tenant_id))
        await asyncio.sleep(0)

    async def leave(self, name: str) -> None:
        self._doors[name].set()
        await self._tasks[name]

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.gather(self._tasks[name], return_exceptions=True)

    def gauge(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"extension_runner_{name}")

    async def _stay(self, name: str, tenant_id: TenantId) -> None:
        async with self.admission.slot(tenant_id):
            self.started.append(name)
            await self._doors[name].wait()


async def test_calls_beyond_the_slots_wait_their_turn() -> None:
    room = Room(running=1, waiting=2)
    for name in ("first", "second", "third"):
        await room.enter(name)
    assert room.started == ["first"]

    await room.leave("first")
    await room.leave("second")
    await room.leave("third")

    assert room.started == ["first", "second", "third"]


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    room = Room(running=1, waiting=1)
    await room.enter("first")
    await room.enter("second")

    with pytest.raises(RunnerSaturatedError) as error:
        async with room.admission.slot(TWO):
            pass

    assert error.value.retry_after_ms
    await room.leave("first")
    await room.leave("second")
    async with room.admission.slot(TWO):
        assert room.gauge("in_flight") == 1


async def test_a_tenant_cannot_take_the_others_share() -> None:
    room = Room(running=3, waiting=3, per_tenant=2)
    await room.enter("first", ONE)
    await room.enter("second", ONE)

    with pytest.raises(RunnerSaturatedError):
        async with room.admission.slot(ONE):
            pass
    async with room.admission.slot(TWO):
        pass

    await room.leave("first")
    async with room.admission.slot(ONE):
        pass
    await room.leave("second")


async def test_who_gives_up_waiting_leaves_the_queue() -> None:
    room = Room(running=1, waiting=1)
    await room.enter("first", ONE)
    await room.enter("second", TWO)
    await room.give_up("second")

    await room.enter("third", THREE)
    await room.leave("first")
    await room.leave("third")

    assert room.started == ["first", "third"]
    assert room.admission.in_flight == 0


async def test_a_failing_call_gives_its_slot_back() -> None:
    room = Room(running=1, waiting=0)
    with pytest.raises(ValueError, match="inside"):
        async with room.admission.slot(ONE):
            raise ValueError("inside")

    async with room.admission.slot(ONE):
        assert room.gauge("queue_depth") == 0


async def test_a_closed_admission_lets_nobody_in_and_those_inside_finish() -> None:
    room = Room(running=1, waiting=1)
    await room.enter("first")
    await room.enter("second")
    room.admission.close()

    with pytest.raises(RunnerDrainingError):
        async with room.admission.slot(TWO):
            pass
    idle = asyncio.create_task(room.admission.idle())
    await room.leave("first")
    assert not idle.done()
    await room.leave("second")
    await asyncio.wait_for(idle, 1)

    assert room.started == ["first", "second"]
