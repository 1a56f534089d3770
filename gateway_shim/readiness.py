"""Whether this gateway can serve calls: its keys, its registry, and at least one runner."""

import asyncio
from collections.abc import Mapping

from gateway_shim.jwks import KeySet
from gateway_shim.registry_client import RegistryClient
from gateway_shim.runner_client import RunnerClient
from shared.clock import Clock
from shared.errors import RunnerUnavailableError

CACHE_SECONDS = 1.0
CHECK_SECONDS = 1.0


class Readiness:
    """Checks what calls need, at most once a second however often it is asked."""

    def __init__(
        self, *, keys: KeySet, registry: RegistryClient, runners: RunnerClient, clock: Clock
    ) -> None:
        self._keys = keys
        self._registry = registry
        self._runners = runners
        self._clock = clock
        self._checking = asyncio.Lock()
        self._checks: Mapping[str, bool] = {}
        self._fresh_until = float("-inf")

    async def checks(self) -> Mapping[str, bool]:
        """What is needed, and whether it is there."""
        async with self._checking:
            if self._clock.monotonic() >= self._fresh_until:
                keys, registry, runners = await asyncio.gather(
                    self._keys.load(),
                    self._registry.is_reachable(CHECK_SECONDS),
                    self._has_runner(),
                )
                self._checks = {"keys": keys, "registry": registry, "runners": runners}
                self._fresh_until = self._clock.monotonic() + CACHE_SECONDS
            return self._checks

    async def _has_runner(self) -> bool:
        try:
            await self._runners.reach(CHECK_SECONDS)
        except RunnerUnavailableError:
            return False
        return True
