"""The engine: compiles components, loads compiled ones, and runs requests in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from wasmtime import Engine as WasmtimeEngine
from wasmtime import WasmtimeError
from wasmtime.component import Component

from runner_service.abi.values import GuestRequest
from runner_service.engine import library
from runner_service.engine.compiled import CompiledComponent
from runner_service.engine.configuration import EngineSettings, code_fingerprint, wasmtime_config
from runner_service.engine.guest_run import GuestRun, GuestRunner
from runner_service.engine.invocation import Host, InvocationLimits, Invocations
from runner_service.engine.linker import HostLinker
from runner_service.engine.ticker import EpochTicker
from shared.errors import ComponentInvalidError, InternalError

COMPONENT_MAGIC: Final = b"\0asm\x0d\0\x01\0"
_MODULE_MAGIC: Final = b"\0asm\x01\0\0\0"
_MAX_DETAIL: Final = 300


class Engine:
    """One engine for a process: guests share its code and linker, and nothing else."""

    def __init__(self, *, settings: EngineSettings) -> None:
        """Starts the engine and the clock that ends its guests.

        Raises:
            InternalError: the installed wasmtime, or this platform, is not the expected one.
        """
        library.require_supported_library()
        self._engine = WasmtimeEngine(wasmtime_config(settings))
        self._linker = HostLinker(engine=self._engine, invocations=(invocations := Invocations()))
        address = library.address_of(self._engine.ptr())
        self._runner = GuestRunner(engine=address, linker=self._linker, invocations=invocations)
        self._ticker = EpochTicker(engine=address)

    @property
    def fingerprint(self) -> str:
        """Names all that compiled code depends on: a part of the key of any cache of it."""
        return code_fingerprint()

    def compile(self, component: bytes) -> CompiledComponent:
        """Compiles a component and checks it against the world; takes seconds for a large one.

        Raises:
            ComponentInvalidError: the bytes are no component, or not one of this world.
        """
        # First of all: wasmtime's package takes bytes without the magic for text, and parses it.
        if not component.startswith(COMPONENT_MAGIC):
            raise ComponentInvalidError(_not_a_component(component))
        try:
            compiled = Component(self._engine, component)
        except WasmtimeError as error:
            reason = " ".join(str(error).split())[:_MAX_DETAIL]
            raise ComponentInvalidError(f"the component does not compile: {reason}") from None
        return CompiledComponent(engine=self._engine, component=compiled)

    def load(self, path: Path) -> CompiledComponent:
        """Loads what `CompiledComponent.code` gave, under an engine of the same fingerprint.

        The file is machine code and will be run: the caller must know that it is the platform's
        own, unchanged. It stays mapped: it must never be written to again, only replaced.

        Raises:
            InternalError: it is not this engine's code.
            ComponentInvalidError: it is code of another world.
        """
        return self._load(lambda: Component.deserialize_file(self._engine, str(path)))

    def load_code(self, code: bytes) -> CompiledComponent:
        """Loads machine code from memory. As `load`, but nothing stays mapped."""
        return self._load(lambda: Component.deserialize(self._engine, code))

    def _load(self, deserialize: Callable[[], Component]) -> CompiledComponent:
        try:
            loaded = deserialize()
        except WasmtimeError as error:
            raise InternalError("compiled code cannot be loaded") from error
        return CompiledComponent(engine=self._engine, component=loaded)

    def run(
        self,
        component: CompiledComponent,
        request: GuestRequest,
        host: Host,
        limits: InvocationLimits,
    ) -> GuestRun:
        """Runs one request in a fresh instance, on the calling thread, until it is done.

        The thread must have a stack of 1 MiB or more. A guest's failure is in what is returned,
        beside its usage.

        Raises:
            RunnerSaturatedError: all instances of the pool are in use.
            InternalError: a host function raised it, or anything that is no `ExtensionError`.
            ExtensionError: what a host function raised.
        """
        return self._runner.run(component, request, host, limits)

    def close(self) -> None:
        """Stops the clock and frees the linker. No guest may be running."""
        self._ticker.close()
        self._linker.close()
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _not_a_component(data: bytes) -> str:
    if data.startswith(_MODULE_MAGIC):
        return "this is a core module; wrap it as a component (wasm-tools component new)"
    if data.lstrip().startswith((b"(module", b"(component", b";;")):
        return "this is WebAssembly text; only binary components are taken"
    return "this is no WebAssembly component: it does not begin with a component's magic bytes"
