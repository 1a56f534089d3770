"""What follows from a guest's run: the answer, the metrics, and the record."""

from datetime import datetime

import structlog

from runner_service.abi.values import GuestResponse
from runner_service.engine import GuestRun
from runner_service.guest_log import Level
from runner_service.invocation import Execution, GuestFailure, Invocation, Usage
from runner_service.metrics import ExecutionMetrics
from runner_service.reporting.finished_execution import ExecutionStatus, FinishedExecution
from runner_service.reporting.reporter import Reporter
from shared.capabilities import LOG_EMIT
from shared.clock import Clock
from shared.errors import InternalError

_log = structlog.get_logger(__name__)


class Conclusion:
    """Draws the conclusion of each run, whichever way it ended."""

    def __init__(self, *, reporter: Reporter, metrics: ExecutionMetrics, clock: Clock) -> None:
        self._reporter = reporter
        self._metrics = metrics
        self._clock = clock

    def draw(
        self,
        invocation: Invocation,
        run: GuestRun,
        *,
        cold: bool,
        received: float,
        started_at: datetime,
    ) -> Execution:
        """Gives the answer, and tells metrics, log and reporter.

        Args:
            invocation: what was run.
            run: how it went.
            cold: whether the call had to wait for its component.
            received: when the call arrived, on the monotonic clock.
            started_at: when the guest was started.
        """
        seconds = self._clock.monotonic() - received
        outcome = run.failure.reason.lower() if run.failure else "ok"
        self._metrics.finished(outcome=outcome, seconds=seconds, cold=cold)
        self._tell_denials(invocation)
        execution = Execution(
            execution_id=invocation.execution_id,
            result=_result_of(run),
            usage=Usage(
                duration_us=int(seconds * 1_000_000),
                guest_us=run.guest_us,
                host_calls=invocation.host_calls,
                denied_host_calls=invocation.denied_calls.total(),
                cold_start=cold,
                peak_memory_bytes=run.peak_memory_bytes,
            ),
        )
        self._report(invocation, run, execution.usage, started_at)
        return execution

    def _tell_denials(self, invocation: Invocation) -> None:
        for capability, count in invocation.denied_calls.items():
            self._metrics.denied(capability, count)
            _log.warning(
                "host calls denied",
                rule="the install was not granted the capability",
                capability=capability,
                count=count,
                execution_id=str(invocation.execution_id),
                install_id=str(invocation.grant.install_id),
            )

    def _report(
        self, invocation: Invocation, run: GuestRun, usage: Usage, started_at: datetime
    ) -> None:
        request, response, failure = invocation.request, run.response, run.failure
        _log_output(invocation, run)
        self._metrics.dropped_log_lines(invocation.log.dropped)
        self._reporter.report(
            FinishedExecution(
                execution_id=invocation.execution_id,
                invocation_grant=invocation.grant_token,
                request_id=request.request_id or "",
                started_at=started_at,
                finished_at=self._clock.now(),
                status=ExecutionStatus.of_failure(failure) if failure else ExecutionStatus.OK,
                error=failure.reason if failure else "",
                method=request.method,
                path=request.url.partition("?")[0],
                http_status=response.status if response else 0,
                request_bytes=len(request.body or b""),
                response_bytes=len((response.body if response else None) or b""),
                usage=usage,
                log_lines=invocation.log.lines(),
            )
        )


def _result_of(run: GuestRun) -> GuestResponse | GuestFailure:
    if run.response is not None:
        return run.response
    failure = run.failure or InternalError()
    return GuestFailure(reason=failure.reason, detail=failure.message)


def _log_output(invocation: Invocation, run: GuestRun) -> None:
    """What the guest wrote to its streams is its log, too, under the same right and bounds."""
    if LOG_EMIT in invocation.grant.capabilities:
        for line in run.stdout:
            invocation.log.add(Level.INFO, line)
        for line in run.stderr:
            invocation.log.add(Level.ERROR, line)
    if run.failure is not None:
        invocation.log.add(Level.ERROR, run.failure.message)
