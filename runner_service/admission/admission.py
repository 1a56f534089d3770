"""How many calls run, how many wait, and how many of these may be one tenant's."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from runner_service.metrics import AdmissionMetrics
from shared.errors import RunnerDrainingError, RunnerSaturatedError
from shared.identifiers import TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """Bounds of what the runner takes on."""

    running: int
    """Calls that hold a slot; as many as there are guest threads."""
    waiting: int
    """Calls that may wait for a slot, first come first served."""
    per_tenant: int
    """Calls of one tenant that may run or wait, so that no tenant takes every slot."""
    retry_after_ms: int = 250


class Admission:
    """A bounded number of slots behind a bounded queue; it can be closed, for good."""

    def __init__(self, *, limits: AdmissionLimits, metrics: AdmissionMetrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._slots = asyncio.Semaphore(limits.running)
        self._of_tenant: Counter[TenantId] = Counter()
        self._entered = 0
        self._running = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_flight(self) -> int:
        """Calls that run or wait."""
        return self._entered

    def close(self) -> None:
        """Lets nobody in from now on; who is in may finish."""
        self._closed = True

    async def idle(self) -> None:
        """Returns when nobody is in."""
        await self._idle.wait()

    @asynccontextmanager
    async def slot(self, tenant_id: TenantId) -> AsyncIterator[None]:
        """Holds a slot while the block runs; who is cancelled while waiting leaves the queue.

        Raises:
            RunnerDrainingError: the runner accepts no more calls.
            RunnerSaturatedError: the queue or the tenant's share of it is full.
        """
        self._refuse_if_full(tenant_id)
        self._entered += 1
        self._of_tenant[tenant_id] += 1
        self._idle.clear()
        self._tell()
        try:
            async with self._slots:
                self._running += 1
                self._tell()
                try:
                    yield
                finally:
                    self._running -= 1
        finally:
            self._leave(tenant_id)

    def _refuse_if_full(self, tenant_id: TenantId) -> None:
        if self._closed:
            self._metrics.refused("draining")
            raise RunnerDrainingError
        if self._entered >= self._limits.running + self._limits.waiting:
            self._metrics.refused("queue_full")
            raise RunnerSaturatedError(retry_after_ms=self._limits.retry_after_ms)
        if self._of_tenant[tenant_id] >= self._limits.per_tenant:
            self._metrics.refused("tenant_limit")
            raise RunnerSaturatedError(
                "The tenant has as many calls on this runner as it may have.",
                retry_after_ms=self._limits.retry_after_ms,
            )

    def _leave(self, tenant_id: TenantId) -> None:
        self._entered -= 1
        self._of_tenant[tenant_id] -= 1
        if not self._of_tenant[tenant_id]:
            del self._of_tenant[tenant_id]  # tenants come and go; the table stays small
        if not self._entered:
            self._idle.set()
        self._tell()

    def _tell(self) -> None:
        self._metrics.load(running=self._running, waiting=self._entered - self._running)
