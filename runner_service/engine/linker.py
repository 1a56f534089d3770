"""The linker that all guests of an engine share: every function of the world, and WASI.

It is built once and never changed. Which call a callback belongs to is told by the number in the
store (`Invocations`). No exception leaves a callback: ctypes would print and drop it, and the
guest would go on with a result that nobody wrote.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final

from wasmtime import Engine
from wasmtime.component import Linker

from runner_service.abi.types import FunctionType
from runner_service.abi.world import IMPORTS
from runner_service.engine import library
from runner_service.engine.arena import Arena
from runner_service.engine.decode import GuestValueError, decoder, read_values
from runner_service.engine.encode import encoder
from runner_service.engine.invocation import Invocation, Invocations
from runner_service.engine.ticker import ticks

_CLOCK: Final = "wasi:clocks/monotonic-clock@0.2.12"  # wasmtime's own; guests' older ones map to it
_TIMERS: Final = ("subscribe-duration", "subscribe-instant")

_Callback = Callable[[int | None, int, int, int, int, int, int], int]


class _Scratch(threading.local):
    """Each thread's memory for the results of host functions."""

    def __init__(self) -> None:
        self.arena = Arena()


class HostLinker:
    """Owns the linker and the callbacks that it points to."""

    def __init__(
        self,
        *,
        engine: Engine,
        invocations: Invocations,
        imports: Mapping[str, Mapping[str, FunctionType]] = IMPORTS,
    ) -> None:
        self._invocations = invocations
        self._scratch = _Scratch()
        self._callbacks: list[object] = []
        self._linker = Linker(engine)
        self._linker.add_wasip2()
        self._linker.allow_shadowing = True
        for interface, functions in imports.items():
            self._define(
                interface,
                {name: self._host_function(interface, name, of) for name, of in functions.items()},
            )
        # A guest that sleeps in WASI is stopped by no epoch: it would hold its thread for ever.
        self._define(_CLOCK, {name: self._refused_timer() for name in _TIMERS})
        self.address = library.address_of(self._linker.ptr())
        self.write_stdout = library.WRITE_FUNCTION(self._writer(to_stderr=False))
        self.write_stderr = library.WRITE_FUNCTION(self._writer(to_stderr=True))

    def close(self) -> None:
        """Frees the linker."""
        self._linker.close()

    def _define(self, interface: str, functions: dict[str, _Callback]) -> None:
        with self._linker.root() as root, root.add_instance(interface) as instance:
            for name, function in functions.items():
                callback = library.HOST_FUNCTION(function)
                self._callbacks.append(callback)
                encoded = name.encode()
                error = library.linker_instance_add_func(
                    library.address_of(instance.ptr()),
                    encoded,
                    len(encoded),
                    callback,
                    None,
                    library.NO_FINALIZER,
                )
                if error:
                    raise RuntimeError(f"{interface}: {library.take_error(error)[0]}")

    def _host_function(self, interface: str, name: str, of: FunctionType) -> _Callback:
        decoders = tuple(map(decoder, of.parameters))
        encode = encoder(of.result) if of.result is not None else None
        scratch = self._scratch

        def answer(invocation: Invocation, arguments: int, count: int, results: int) -> None:
            value = invocation.call(interface, name, read_values(decoders, arguments, count))
            if encode is not None:
                arena = scratch.arena
                try:
                    library.val_clone(arena.encode((encode, value)), results)
                finally:
                    arena.clear()

        return self._guarded(answer)

    def _refused_timer(self) -> _Callback:
        def answer(_: Invocation, __: int, ___: int, ____: int) -> None:
            raise GuestValueError("it set a timer, which the platform does not offer")

        return self._guarded(answer)

    def _guarded(self, answer: Callable[[Invocation, int, int, int], None]) -> _Callback:
        invocations = self._invocations

        def callback(
            _data: int | None,
            context: int,
            _type: int,
            arguments: int,
            count: int,
            results: int,
            _result_count: int,
        ) -> int:
            invocation = invocations.get(library.context_get_data(context))
            if invocation is None:
                return library.error_new(b"the call has ended")
            try:
                answer(invocation, arguments, count, results)
                library.context_set_epoch_deadline(context, ticks(invocation.left_ms()))
            except GuestValueError as error:
                invocation.refusal = str(error)
                return library.error_new(b"the host refused the call")
            except BaseException as error:  # noqa: BLE001 - raised again by the call's own thread
                invocation.failure = error
                return library.error_new(b"the host failed")
            return 0

        return callback

    def _writer(self, *, to_stderr: bool) -> Callable[[int | None, int, int], int]:
        invocations = self._invocations

        def write(number: int | None, address: int, count: int) -> int:
            invocation = invocations.get(number)
            if invocation is not None and count:
                invocation.output.write(address, count, to_stderr=to_stderr)
            return count

        return write
