"""Shipping finished executions to a registry that stumbles."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

from prometheus_client import CollectorRegistry

from runner_service.metrics import ReportMetrics
from runner_service.reporting.finished_execution import FinishedExecution
from runner_service.reporting.registry_reporter import RegistryReporter, ShippingLimits
from runner_service.rpc.registry_execution_log import RegistryExecutionLog
from shared.clock import SystemClock
from shared.identifiers import ExecutionId
from shared.rpc.channel import open_channel
from shared.tokens.service_token import ServiceTokenSource
from tests.fixtures.execution_log import SERVICE, ExecutionLogServer
from tests.fixtures.finished_executions import finished
from tests.fixtures.runner import NOBODY, RunnerHome

QUICK = ShippingLimits(
    linger_seconds=0.02, first_retry_seconds=0.01, last_retry_seconds=0.05, flush_seconds=2
)


class Shipping:
    """A reporter at work, and what it counts."""

    def __init__(self, reporter: RegistryReporter, registry: CollectorRegistry) -> None:
        self.reporter = reporter
        self._registry = registry

    def report(self, count: int, request_id: str = "r") -> list[FinishedExecution]:
        executions = [
            replace(finished(0), execution_id=ExecutionId(uuid4()), request_id=request_id)
            for _ in range(count)
        ]
        for execution in executions:
            self.reporter.report(execution)
        return executions

    def lost(self, cause: str) -> float:
        name = "extension_runner_reports_lost_total"
        return self._registry.get_sample_value(name, {"cause": cause}) or 0


@asynccontextmanager
async def shipping_to(
    target: str, home: RunnerHome, limits: ShippingLimits = QUICK
) -> AsyncIterator[Shipping]:
    registry = CollectorRegistry()
    tokens = ServiceTokenSource(key=home.runner_key, audience="registry", clock=SystemClock())
    async with open_channel(target, service=SERVICE) as channel:
        log = RegistryExecutionLog(channel=channel, tokens=tokens, runner_id="runner-1")
        reporter = RegistryReporter(log=log, metrics=ReportMetrics(registry), limits=limits)
        async with reporter.shipping():
            yield Shipping(reporter, registry)


async def test_reports_go_out_in_bounded_batches_and_all_arrive(
    runner_home: RunnerHome, execution_log: ExecutionLogServer
) -> None:
    limits = replace(QUICK, batch_count=40)
    async with shipping_to(execution_log.target, runner_home, limits) as shipping:
        executions = shipping.report(100)

    assert {str(one.execution_id) for one in executions} == set(execution_log.executions)
    assert execution_log.batches == [40, 40, 20]
    assert {one.runner_id for one in execution_log.executions.values()} == {"runner-1"}


async def test_ending_sends_what_is_left(
    runner_home: RunnerHome, execution_log: ExecutionLogServer
) -> None:
    slow = replace(QUICK, linger_seconds=60)
    async with shipping_to(execution_log.target, runner_home, slow) as shipping:
        [execution] = shipping.report(1)

    assert str(execution.execution_id) in execution_log.executions
    assert shipping.lost("shutdown") == 0


async def test_a_registry_that_is_down_gets_everything_when_it_is_back(
    runner_home: RunnerHome, execution_log: ExecutionLogServer
) -> None:
    async with shipping_to(execution_log.target, runner_home) as shipping:
        execution_log.down = True
        executions = shipping.report(10)
        await asyncio.sleep(0.3)
        assert not execution_log.executions
        execution_log.down = False
        for execution in executions:
            await execution_log.recorded(str(execution.execution_id))


async def test_what_the_registry_rejects_is_counted_as_lost(
    runner_home: RunnerHome, execution_log: ExecutionLogServer
) -> None:
    execution_log.rejects = {"bad"}
    async with shipping_to(execution_log.target, runner_home) as shipping:
        shipping.report(3, "good")
        shipping.report(2, "bad")

    assert len(execution_log.executions) == 3
    assert shipping.lost("rejected") == 2


async def test_one_record_that_can_never_be_taken_does_not_hold_the_others_up(
    runner_home: RunnerHome, execution_log: ExecutionLogServer
) -> None:
    execution_log.poison = {"poison"}
    async with shipping_to(execution_log.target, runner_home) as shipping:
        good = shipping.report(5)
        shipping.report(1, "poison")
        good += shipping.report(5)

    assert set(execution_log.executions) == {str(one.execution_id) for one in good}
    assert shipping.lost("rejected") == 1


async def test_what_cannot_be_sent_at_the_end_is_counted_not_forgotten(
    runner_home: RunnerHome,
) -> None:
    limits = replace(QUICK, flush_seconds=0.2)
    async with shipping_to(NOBODY, runner_home, limits) as shipping:
        shipping.report(7)

    assert shipping.lost("shutdown") == 7


async def test_a_backlog_without_room_is_counted(runner_home: RunnerHome) -> None:
    limits = replace(QUICK, flush_seconds=0.1, backlog_bytes=finished(0).size_bytes() * 4)
    async with shipping_to(NOBODY, runner_home, limits) as shipping:
        shipping.report(10)

    assert shipping.lost("backlog_full") == 6
    assert shipping.lost("shutdown") == 4
