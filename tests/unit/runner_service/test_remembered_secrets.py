"""Remembered secrets: never longer than allowed, never for another, never too many."""

from datetime import timedelta

import pytest

from runner_service.backends.remembered_secrets import RememberedSecrets
from runner_service.backends.secrets import OpenedSecret
from runner_service.invocation import Invocation
from shared.capabilities import SECRETS_GET
from shared.clock import ManualClock, SystemClock
from shared.errors import CapabilityNotGrantedError, SecretExpiredError
from shared.secret import Secret
from tests.fakes.memory_secrets import MemorySecrets
from tests.fixtures.invocations import grant_of, invocation_of

OURS = invocation_of(grant_of(SECRETS_GET, install=1))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SystemClock().now())


@pytest.fixture
def memory(clock: ManualClock) -> MemorySecrets:
    memory = MemorySecrets(clock=clock)
    for number in range(10):
        memory.secrets[OURS.grant.install_id, f"k{number}"] = (Secret(f"v{number}"), None)
    return memory


async def test_a_secret_is_asked_for_once_in_thirty_seconds(
    memory: MemorySecrets, clock: ManualClock
) -> None:
    remembered = RememberedSecrets(backend=memory, clock=clock)
    for _ in range(3):
        assert (await remembered.get(OURS, "k1")).secret == Secret("v1")
    memory.secrets[OURS.grant.install_id, "k1"] = (Secret("new"), None)
    clock.advance(29)
    assert (await remembered.get(OURS, "k1")).secret == Secret("v1")
    assert memory.asked == 1
    clock.advance(2)
    assert (await remembered.get(OURS, "k1")).secret == Secret("new")


async def test_it_is_not_kept_past_its_expiry(memory: MemorySecrets, clock: ManualClock) -> None:
    expiry = clock.now() + timedelta(seconds=5)
    memory.secrets[OURS.grant.install_id, "k1"] = (Secret("v1"), expiry)
    remembered = RememberedSecrets(backend=memory, clock=clock)
    await remembered.get(OURS, "k1")
    clock.advance(5)
    with pytest.raises(SecretExpiredError):
        await remembered.get(OURS, "k1")


async def test_a_backend_whose_clock_is_wrong_does_not_make_it_last(clock: ManualClock) -> None:
    class Ahead(MemorySecrets):
        async def get(self, invocation: Invocation, key: str) -> OpenedSecret:
            self.asked += 1
            return OpenedSecret(Secret("v"), clock.now() + timedelta(days=1))

    ahead = Ahead()
    remembered = RememberedSecrets(backend=ahead, clock=clock)
    await remembered.get(OURS, "k")
    clock.advance(31)
    await remembered.get(OURS, "k")
    assert ahead.asked == 2


async def test_a_right_that_was_taken_away_reads_nothing_that_is_remembered(
    memory: MemorySecrets, clock: ManualClock
) -> None:
    remembered = RememberedSecrets(backend=memory, clock=clock)
    await remembered.get(OURS, "k1")
    with pytest.raises(CapabilityNotGrantedError):
        await remembered.get(invocation_of(grant_of(install=1)), "k1")


async def test_only_the_newest_are_kept(memory: MemorySecrets, clock: ManualClock) -> None:
    remembered = RememberedSecrets(backend=memory, clock=clock, max_remembered=3)
    for number in range(5):
        await remembered.get(OURS, f"k{number}")
    assert memory.asked == 5
    for number in (4, 3, 2):
        await remembered.get(OURS, f"k{number}")
    assert memory.asked == 5
    await remembered.get(OURS, "k0")
    assert memory.asked == 6


async def test_what_may_not_be_kept_is_let_go_without_being_asked_for(
    memory: MemorySecrets, clock: ManualClock
) -> None:
    remembered = RememberedSecrets(backend=memory, clock=clock)
    for number in range(5):
        await remembered.get(OURS, f"k{number}")
    clock.advance(31)
    await remembered.get(OURS, "k9")
    assert [key for _, _, key in remembered._opened] == ["k9"]
