"""The clock that ends guests: a kernel timer that needs neither Python nor its lock.

Epochs advance only when someone advances them. A Python thread would have to get the interpreter
lock first, and a host function may hold it; then no guest of this process would be stopped. Here
the C library's timer thread calls `wasmtime_engine_increment_epoch(engine)` itself.
"""

import ctypes
import os
from ctypes import addressof, c_char, c_int, c_long, c_void_p

from runner_service.engine import library
from shared.errors import InternalError

PERIOD_MS = 5

_CLOCK_MONOTONIC = 1
_SIGEV_THREAD = 2


class _SigEvent(ctypes.Structure):
    _fields_ = (
        ("value", c_void_p),
        ("signal", c_int),
        ("notify", c_int),
        ("function", c_void_p),
        ("attributes", c_void_p),
        ("padding", c_char * 32),  # glibc's struct sigevent is 64 bytes
    )


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", c_long), ("nanoseconds", c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("first", _TimeSpec))


class EpochTicker:
    """Advances an engine's epoch every `PERIOD_MS` until it is closed.

    The timer holds a reference of its own to the engine. It is never given back: a notification
    that had started when the timer was deleted may still use it, and nothing tells when the last
    one is through. A runner has one engine for its whole life, so the price is one engine.
    """

    def __init__(self, *, engine: int) -> None:
        """Starts the timer.

        Raises:
            InternalError: this platform has no such timer.
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer: c_void_p | None = None
        event = _SigEvent(
            value=library.engine_clone(engine),
            notify=_SIGEV_THREAD,
            function=library.engine_increment_epoch_address,
        )
        timer = c_void_p()
        self._call("timer_create", c_int(_CLOCK_MONOTONIC), addressof(event), addressof(timer))
        self._timer = timer
        period = _TimeSpec(seconds=0, nanoseconds=PERIOD_MS * 1_000_000)
        spec = _TimerSpec(interval=period, first=period)
        self._call("timer_settime", timer, c_int(0), addressof(spec), None)

    def close(self) -> None:
        """Stops the timer. Guests that still run are then not stopped by time any more."""
        timer, self._timer = self._timer, None
        if timer is not None:
            self._call("timer_delete", timer)

    def _call(self, name: str, *arguments: c_int | c_void_p | int | None) -> None:
        function = getattr(self._libc, name, None)
        if function is None:
            raise InternalError(f"the C library has no {name}: the runner needs Linux with glibc")
        wide = [c_void_p(a) if isinstance(a, int) else a for a in arguments]
        if function(*wide) != 0:
            raise InternalError(f"{name} failed: {os.strerror(ctypes.get_errno())}")


def ticks(milliseconds: int) -> int:
    """How many epochs from now a deadline lies, rounded up; no time is none.

    On a busy machine a notification can come late and the next ones soon after it, so a guest's
    time is exact to a few periods, not to one.
    """
    return -(-milliseconds // PERIOD_MS) + 1 if milliseconds > 0 else 0
