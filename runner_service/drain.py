"""Taking the runner out of service."""

from collections.abc import Awaitable, Callable

import structlog

from runner_service.admission.admission import Admission

_log = structlog.get_logger(__name__)


class Drain:
    """Turns health to NOT_SERVING, lets nobody in, and waits for those who are."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._tell_health: Callable[[], Awaitable[None]] | None = None

    def announce_with(self, tell_health: Callable[[], Awaitable[None]]) -> None:
        """Says how to tell the world; known only once the server runs."""
        self._tell_health = tell_health

    async def start(self) -> int:
        """Closes the door. Idempotent.

        Returns:
            How many calls are still in.
        """
        if self._tell_health is not None:
            await self._tell_health()
        self._admission.close()
        _log.info("draining", in_flight=self._admission.in_flight)
        return self._admission.in_flight

    async def finish(self) -> None:
        """Returns when the last call is out."""
        await self._admission.idle()
