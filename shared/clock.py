"""Time as a port, so that a test can move it.

The only module that reads the machine's clock.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day and the time that has passed."""

    def now(self) -> datetime:
        """The current moment, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class SystemClock:
    """The machine's own clock. Stateless."""

    def now(self) -> datetime:
        """The current moment, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to; for tests and for replaying."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._elapsed = timedelta()

    def now(self) -> datetime:
        """The current moment, in UTC."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._elapsed.total_seconds()

    def advance(self, seconds: float) -> None:
        """Lets `seconds` pass."""
        self._elapsed += timedelta(seconds=seconds)
