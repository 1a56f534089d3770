"""Ships finished executions to the registry, in batches, until it has them."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from runner_service.metrics import ReportMetrics
from runner_service.reporting.backlog import Backlog
from runner_service.reporting.finished_execution import FinishedExecution
from runner_service.reporting.reporter import ExecutionLog
from shared.errors import Code, ExtensionError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingLimits:
    """How much waits, how it is cut into batches, and how long to try."""

    backlog_bytes: int = 64 * 1024 * 1024
    batch_count: int = 500
    batch_bytes: int = 1024 * 1024
    linger_seconds: float = 0.2
    first_retry_seconds: float = 0.1
    last_retry_seconds: float = 5.0
    flush_seconds: float = 10.0


class RegistryReporter:
    """A `Reporter` that keeps its backlog in memory: what a crash of the process loses, is lost."""

    def __init__(
        self, *, log: ExecutionLog, metrics: ReportMetrics, limits: ShippingLimits
    ) -> None:
        self._execution_log = log
        self._metrics = metrics
        self._limits = limits
        self._backlog = Backlog(max_bytes=limits.backlog_bytes)
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._given_up = False
        self._batch_count = limits.batch_count
        self._told_lost = 0

    def report(self, execution: FinishedExecution) -> None:
        """Queues it; when there is no room the oldest log lines go, then the oldest records."""
        records, lines = self._backlog.lost_records, self._backlog.lost_lines
        self._backlog.append(execution)
        self._metrics.lost_lines(self._backlog.lost_lines - lines)
        self._metrics.lost(self._backlog.lost_records - records, "backlog_full")
        self._metrics.depth(len(self._backlog))
        self._arrived.set()

    @asynccontextmanager
    async def shipping(self) -> AsyncIterator[None]:
        """Ships while the block runs, and what is left when it ends, for a limited time."""
        task = asyncio.create_task(self._ship_all())
        try:
            yield
        finally:
            self._closing.set()
            self._arrived.set()
            await asyncio.wait([task], timeout=self._limits.flush_seconds)
            # A call that fails at the moment of its cancellation tells only the failure, so the
            # flag is what ends the loop for certain.
            self._given_up = True
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()):
                _log.error("shipping failed", exc_info=error)
            self._lost(len(self._backlog), "shutdown")

    async def _ship_all(self) -> None:
        retry = self._limits.first_retry_seconds
        while not self._given_up:
            await self._arrived.wait()
            self._tell_of_lost()
            if len(self._backlog) < self._limits.batch_count:
                await self._pause(self._limits.linger_seconds)
            batch = self._backlog.head(
                max_count=self._batch_count, max_bytes=self._limits.batch_bytes
            )
            if not batch:
                if self._closing.is_set():
                    return
                self._arrived.clear()
                continue
            if await self._ship(batch):
                retry = self._limits.first_retry_seconds
            else:
                await asyncio.sleep(retry * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                retry = min(retry * 2, self._limits.last_retry_seconds)

    async def _ship(self, batch: list[FinishedExecution]) -> bool:
        try:
            rejected = await self._execution_log.record(batch)
        except ExtensionError as error:
            if error.code is Code.INVALID_ARGUMENT:
                self._split(batch, error)
                return True
            _log.warning(
                "execution log not reached", reason=error.reason, waiting=len(self._backlog)
            )
            return False
        except Exception as error:  # noqa: BLE001 - a bug may hold reports up, not end them
            _log.error("execution log failed", exc_info=error)
            return False
        self._backlog.drop(batch)
        self._batch_count = self._limits.batch_count
        self._metrics.shipped(len(batch) - len(rejected))
        self._lost(len(rejected), "rejected")
        self._metrics.depth(len(self._backlog))
        return True

    def _split(self, batch: list[FinishedExecution], error: ExtensionError) -> None:
        # One record that the registry can never take must not hold the others up: halve until it
        # stands alone.
        if len(batch) > 1:
            self._batch_count = len(batch) // 2
            return
        self._backlog.drop(batch)
        self._batch_count = self._limits.batch_count
        _log.error("execution refused by the log", reason=error.reason)
        self._lost(1, "rejected")

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return

    def _tell_of_lost(self) -> None:
        # Here and not in `report`: an overload must not become a flood of log events as well.
        if count := self._backlog.lost_records - self._told_lost:
            _log.error("execution records lost", count=count, cause="backlog_full")
            self._told_lost = self._backlog.lost_records

    def _lost(self, count: int, cause: str) -> None:
        if count > 0:
            self._metrics.lost(count, cause)
            _log.error("execution records lost", count=count, cause=cause)
