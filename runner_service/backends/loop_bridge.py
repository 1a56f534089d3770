"""From a guest's thread to the event loop and back, before the guest's time is up."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from runner_service.invocation import Invocation
from shared.clock import Clock
from shared.errors import DeadlineExceededError, GuestTimedOutError

HOST_CALL_SECONDS = 5.0

Answer = TypeVar("Answer")


class LoopBridge:
    """Runs coroutines of backends for guests, which wait on threads of their own."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock

    def wait_for(self, work: Coroutine[object, object, Answer], invocation: Invocation) -> Answer:
        """What `work` gives; called on a guest's thread only.

        The wait has a limit of its own, because the engine cannot interrupt a host call.

        Raises:
            GuestTimedOutError: the invocation's time is up; this ends the guest.
            DeadlineExceededError: the host call's own time is up.
        """
        left = invocation.ends_at - self._clock.monotonic()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout=max(0.0, min(HOST_CALL_SECONDS, left)))
        except TimeoutError:
            future.cancel()
            if left <= HOST_CALL_SECONDS:
                raise GuestTimedOutError("the extension's time was up during a host call") from None
            raise DeadlineExceededError("The host call took too long.") from None
