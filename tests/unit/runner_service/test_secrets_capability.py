"""`cap:secrets.get` in the words that guests know."""

import asyncio

import pytest

from runner_service.abi.values import Err, Ok, Value
from runner_service.backends.backends import Backends
from runner_service.backends.loop_bridge import LoopBridge
from runner_service.backends.secrets import OpenedSecret
from runner_service.capabilities.capabilities import CapabilityTable
from runner_service.invocation import Invocation
from shared.capabilities import SECRETS_GET
from shared.clock import SystemClock
from shared.errors import (
    ExtensionError,
    GuestTimedOutError,
    InternalError,
    InvocationGrantInvalidError,
    RegistryUnavailableError,
    SecretExpiredError,
    SecretsUnavailableError,
)
from shared.secret import Secret
from tests.fakes.memory_secrets import MemorySecrets
from tests.fakes.memory_storage import MemoryStorage
from tests.fixtures.invocations import grant_of, invocation_of

GRANTED = grant_of(SECRETS_GET)


async def answer(
    secrets: MemorySecrets, function: str, *arguments: Value, invocation: Invocation | None = None
) -> Value:
    """What a guest is told, on a thread of its own."""
    bridge = LoopBridge(loop=asyncio.get_running_loop(), clock=SystemClock())
    table = CapabilityTable(Backends(bridge=bridge, storage=MemoryStorage(), secrets=secrets))
    host = table.host_of(invocation or invocation_of(GRANTED))
    return await asyncio.to_thread(host.call, "alga:extension/secrets", function, arguments)


async def test_a_guest_reads_by_name_and_lists_names() -> None:
    secrets = MemorySecrets()
    for key in ("b", "a"):
        secrets.secrets[GRANTED.install_id, key] = (Secret(f"value of {key}"), None)
    assert await answer(secrets, "get", "a") == Ok("value of a")
    assert await answer(secrets, "get", "c") == Err("missing")
    assert await answer(secrets, "list-keys") == ["a", "b"]


async def test_a_name_that_is_too_long_is_not_even_asked_for() -> None:
    secrets = MemorySecrets()
    assert await answer(secrets, "get", "k" * 129) == Err("missing")
    assert secrets.asked == 0


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SecretExpiredError(), "expired"),
        (InvocationGrantInvalidError(), "denied"),
        (SecretsUnavailableError(), "internal"),
        (RegistryUnavailableError(), "internal"),
        (InternalError(), "internal"),
    ],
)
async def test_each_failure_has_its_word(error: ExtensionError, told: str) -> None:
    class Failing(MemorySecrets):
        async def get(self, invocation: Invocation, key: str) -> OpenedSecret:
            raise error

        async def list_keys(self, invocation: Invocation) -> list[str]:
            raise error

    assert await answer(Failing(), "get", "k") == Err(told)
    assert await answer(Failing(), "list-keys") == []


async def test_a_guest_without_the_right_is_denied_and_learns_no_name() -> None:
    secrets = MemorySecrets()
    secrets.secrets[GRANTED.install_id, "k"] = (Secret("v"), None)
    denied = invocation_of(grant_of())
    assert await answer(secrets, "get", "k", invocation=denied) == Err("denied")
    assert await answer(secrets, "list-keys", invocation=denied) == []


async def test_a_guest_whose_time_is_up_ends_in_its_call() -> None:
    class Slow(MemorySecrets):
        async def get(self, invocation: Invocation, key: str) -> OpenedSecret:
            await asyncio.sleep(60)
            return await super().get(invocation, key)

    invocation = invocation_of(GRANTED, ends_at=SystemClock().monotonic() + 0.1)
    with pytest.raises(GuestTimedOutError):
        await answer(Slow(), "get", "k", invocation=invocation)
