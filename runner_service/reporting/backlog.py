"""What waits to be shipped: bounded by bytes, and counting what it gives up."""

from collections import deque
from dataclasses import dataclass, replace

from runner_service.reporting.finished_execution import FinishedExecution


@dataclass(slots=True)
class _Waiting:
    execution: FinishedExecution
    bytes: int


class Backlog:
    """A queue that stays within `max_bytes`.

    Log lines go first, the oldest call's first: a record without its lines still bills and
    explains; only then whole records go. Both are counted for whoever asks.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: deque[_Waiting] = deque()
        self._with_lines: deque[_Waiting] = deque()
        self.lost_records = 0
        self.lost_lines = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, execution: FinishedExecution) -> None:
        """Puts it last, and makes room by giving up the oldest."""
        entry = _Waiting(execution, execution.size_bytes())
        self._waiting.append(entry)
        if execution.log_lines:
            self._with_lines.append(entry)
        self._bytes += entry.bytes
        while self._bytes > self._max_bytes and self._with_lines:
            self._strip(self._with_lines.popleft())
        while self._bytes > self._max_bytes and self._waiting:
            self._remove_first()
            self.lost_records += 1

    def head(self, *, max_count: int, max_bytes: int) -> list[FinishedExecution]:
        """The oldest ones, at least one if there is any; they stay until `drop`."""
        batch: list[FinishedExecution] = []
        total = 0
        for entry in self._waiting:
            total += entry.bytes
            if len(batch) >= max_count or (batch and total > max_bytes):
                break
            batch.append(entry.execution)
        return batch

    def drop(self, batch: list[FinishedExecution]) -> None:
        """Removes what `head` gave; those that were given up meanwhile are gone already."""
        ids = {execution.execution_id for execution in batch}
        while self._waiting and self._waiting[0].execution.execution_id in ids:
            self._remove_first()

    def _remove_first(self) -> None:
        entry = self._waiting.popleft()
        self._bytes -= entry.bytes
        if self._with_lines and self._with_lines[0] is entry:
            self._with_lines.popleft()

    def _strip(self, entry: _Waiting) -> None:
        self.lost_lines += len(entry.execution.log_lines)
        entry.execution = replace(entry.execution, log_lines=())
        self._bytes -= entry.bytes
        entry.bytes = entry.execution.size_bytes()
        self._bytes += entry.bytes
