"""A matched call, sent to a runner; sent again only when that cannot run it twice.

A runner's error with a reason says that the guest was never started, so any such call may go
elsewhere. A runner that was lost after the guest started may have run it, so only methods that mean
the same when repeated are. How a guest ends is an answer, and never repeated.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from gateway_shim.identity import Caller
from gateway_shim.metrics import GatewayMetrics
from gateway_shim.resolve import ResolvedInstall
from shared.clock import Clock
from shared.errors import DeadlineExceededError, ExtensionError
from shared.rpc.metadata import IDEMPOTENT_METHODS

MAX_ATTEMPTS = 3
BACKOFF_SECONDS = (0.05, 0.2)
REACH_SECONDS = 1.0
"""How long a call waits for a runner to come back, in all."""


@dataclass(frozen=True, slots=True)
class GuestRequest:
    """A request as the guest sees it."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class GuestResponse:
    """A response as the guest gave it: not to be believed."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Invocation:
    """All that a runner is told of a call."""

    request: GuestRequest
    install: ResolvedInstall
    caller: Caller
    request_id: str


class Ran(Enum):
    """Whether a failed call ran its guest."""

    NO = auto()
    PERHAPS = auto()


class RunnerCallError(Exception):
    """A call that failed although a runner was there."""

    def __init__(self, error: ExtensionError, ran: Ran, *, may_repeat: bool) -> None:
        super().__init__(error.reason)
        self.error = error
        self.ran = ran
        self.may_repeat = may_repeat


class Runners(Protocol):
    """The runners that there are."""

    async def reach(self, timeout_seconds: float) -> None:
        """Waits until one is there.

        Raises:
            RunnerUnavailableError: none came in time.
        """
        ...

    async def execute(self, invocation: Invocation, timeout_seconds: float) -> GuestResponse:
        """Runs the call on one of them.

        Raises:
            RunnerCallError: it was refused, or lost.
            ExtensionError: how the guest ended instead of answering.
        """
        ...


class Dispatcher:
    """Sends calls to runners until one answers."""

    def __init__(
        self, *, runners: Runners, timeout_seconds: float, clock: Clock, metrics: GatewayMetrics
    ) -> None:
        self._runners = runners
        self._timeout = timeout_seconds
        self._clock = clock
        self._metrics = metrics

    async def dispatch(self, invocation: Invocation) -> GuestResponse:
        """Runs the call and gives the guest's own answer.

        Raises:
            GuestTrappedError, GuestOutOfMemoryError, GuestResponseInvalidError,
            GuestTimedOutError: how the guest ended instead of answering.
            RunnerUnavailableError: no runner was reached, or it was lost with the call.
            DeadlineExceededError: no runner answered in time.
            ExtensionError: a runner's reason not to run it.
        """
        started = self._clock.monotonic()
        deadline = started + self._timeout
        for pause in (*BACKOFF_SECONDS, None):
            await self._runners.reach(max(0.0, started + REACH_SECONDS - self._clock.monotonic()))
            left = deadline - self._clock.monotonic()
            if left <= 0:
                break
            try:
                return await self._runners.execute(invocation, left)
            except RunnerCallError as failed:
                if pause is None or not _may_repeat(failed, invocation.request.method):
                    raise failed.error from None
                self._metrics.retried("refused" if failed.ran is Ran.NO else "lost")
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        raise DeadlineExceededError


def _may_repeat(failed: RunnerCallError, method: str) -> bool:
    return failed.may_repeat and (failed.ran is Ran.NO or method in IDEMPOTENT_METHODS)
