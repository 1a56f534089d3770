"""One call of a guest: its limits, what it may ask of its host, and what is seen of it."""

import itertools
import time
from ctypes import string_at
from dataclasses import dataclass
from typing import Final, Protocol

from runner_service.abi.values import Value

MAX_OUTPUT_BYTES: Final = 64 << 10
MAX_OUTPUT_LINES: Final = 200
_NS_PER_MS: Final = 1_000_000


class Host(Protocol):
    """What a guest's imports end in."""

    def call(self, interface: str, function: str, arguments: tuple[Value, ...], /) -> Value:
        """Answers one call of an import, on the guest's own thread.

        Args:
            interface: such as `alga:extension/storage`.
            function: such as `list-entries`.
            arguments: as `runner_service.abi.values` says.

        Returns:
            A value of the function's result type, or None if it has no result.

        An exception ends the guest's call: an `ExtensionError` is raised to the caller of `run`
        as it is, any other one as an `InternalError`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationLimits:
    """What one call may use.

    `memory_bytes` bounds each memory of the guest (QuickJS has three, but uses one). `timeout_ms`
    bounds the call from instantiation on; the time of a host call counts, but is only looked at
    when that call returns. `computing_ms` bounds the time outside host calls. Both hold to within
    a few of the ticker's periods.
    """

    memory_bytes: int
    timeout_ms: int
    computing_ms: int
    table_elements: int = 20_000
    instances: int = 64
    tables: int = 64
    memories: int = 8


class Output:
    """What a guest writes to stdout and stderr, up to a limit that both share."""

    def __init__(self) -> None:
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._left = MAX_OUTPUT_BYTES
        self.dropped_bytes = 0

    def write(self, address: int, count: int, *, to_stderr: bool) -> None:
        """Copies what still fits from the guest's buffer, and counts the rest."""
        taken = min(count, self._left)
        self._left -= taken
        self.dropped_bytes += count - taken
        (self._stderr if to_stderr else self._stdout).extend(string_at(address, taken))

    @property
    def stdout(self) -> tuple[str, ...]:
        """The lines of stdout."""
        return _lines(self._stdout)

    @property
    def stderr(self) -> tuple[str, ...]:
        """The lines of stderr."""
        return _lines(self._stderr)


class Invocation:
    """The state of one call, for the callbacks that wasmtime makes on its thread."""

    def __init__(self, *, host: Host, limits: InvocationLimits) -> None:
        self._host = host
        self._limits = limits
        self._started = time.perf_counter_ns()
        self.output = Output()
        self.failure: BaseException | None = None
        """What a host function raised: the cause of the trap that followed."""
        self.refusal = ""
        """Why a call of the guest was refused, for its publisher."""
        self.host_ns = 0

    @property
    def computing_ns(self) -> int:
        """How long the guest itself has run."""
        return time.perf_counter_ns() - self._started - self.host_ns

    def left_ms(self) -> int:
        """How long the guest may go on until it asks its host again."""
        elapsed_ns = time.perf_counter_ns() - self._started
        return max(
            min(
                self._limits.timeout_ms - elapsed_ns // _NS_PER_MS,
                self._limits.computing_ms - (elapsed_ns - self.host_ns) // _NS_PER_MS,
            ),
            0,
        )

    def call(self, interface: str, function: str, arguments: tuple[Value, ...]) -> Value:
        """Calls the host, and counts the time."""
        start = time.perf_counter_ns()
        try:
            return self._host.call(interface, function, arguments)
        finally:
            self.host_ns += time.perf_counter_ns() - start


class Invocations:
    """The running calls of one engine by the number that their stores carry.

    A store can hold an address or a number. A number cannot dangle: a callback that comes too
    late finds nothing.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._running: dict[int, Invocation] = {}

    def add(self, invocation: Invocation) -> int:
        """Gives a running call its number."""
        number = next(self._numbers)
        self._running[number] = invocation
        return number

    def remove(self, number: int) -> None:
        """Forgets a call that has ended."""
        del self._running[number]

    def get(self, number: int | None) -> Invocation | None:
        """The running call of this number."""
        return self._running.get(number or 0)


def _lines(data: bytearray) -> tuple[str, ...]:
    return tuple(data.decode("utf-8", "replace").splitlines()[:MAX_OUTPUT_LINES])
