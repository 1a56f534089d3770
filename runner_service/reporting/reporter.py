"""Where finished executions go: the port."""

from collections.abc import Sequence
from typing import Protocol

from runner_service.reporting.finished_execution import FinishedExecution


class Reporter(Protocol):
    """Takes note of executions without ever holding a call up."""

    def report(self, execution: FinishedExecution) -> None:
        """Takes the execution over; returns at once, and never fails for a lack of room."""
        ...


class ExecutionLog(Protocol):
    """The registry's execution log."""

    async def record(self, executions: Sequence[FinishedExecution]) -> Sequence[int]:
        """Appends what is not there yet, by execution id.

        Returns:
            The indexes of those that the log refuses for good.

        Raises:
            ExtensionError: nothing was appended, as far as one can tell; INVALID_ARGUMENT means
                that it never will be.
        """
        ...
