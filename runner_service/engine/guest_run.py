"""Runs one request in a guest: a store and an instance of its own, freed before it returns."""

import ctypes
import resource
import threading
from ctypes import addressof
from dataclasses import dataclass

from runner_service.abi.values import GuestRequest, GuestResponse, Value
from runner_service.abi.world import EXECUTE_REQUEST
from runner_service.engine import library
from runner_service.engine.arena import Arena
from runner_service.engine.compiled import CompiledComponent
from runner_service.engine.encode import encoder
from runner_service.engine.invocation import Host, Invocation, InvocationLimits, Invocations
from runner_service.engine.linker import HostLinker
from runner_service.engine.response import read_response
from runner_service.engine.ticker import ticks
from runner_service.engine.trap import Evidence, explain
from shared.errors import (
    ExtensionError,
    GuestResponseInvalidError,
    GuestTrappedError,
    InternalError,
    RunnerSaturatedError,
)

_PAGE_BYTES = resource.getpagesize()
_HOST_BYTES_PER_BODY_BYTE = 112
"""What the host's copies of one byte of a body touch, measured on this library: values of 32 and
48 bytes. It is taken off what a call touched, which would else count against the guest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestRun:
    """How one call went: what came of it, and what it used. Exactly one of the first two is set.

    `failure` is the guest's own (`GuestTrappedError`, `GuestTimedOutError`,
    `GuestOutOfMemoryError`, `GuestResponseInvalidError`, `ComponentInvalidError`); failures of the
    platform are raised instead.
    `guest_us` is the time in the guest, without that of host calls. `peak_memory_bytes` is an
    estimate, since the C API does not tell: the memory that the call touched anew. Pages that the
    pool had kept from an earlier guest are not in it.
    """

    response: GuestResponse | None
    failure: ExtensionError | None
    guest_us: int
    peak_memory_bytes: int
    stdout: tuple[str, ...]
    stderr: tuple[str, ...]
    dropped_output_bytes: int


class _Scratch(threading.local):
    """Each thread's memory for arguments, and for what wasmtime writes back."""

    def __init__(self) -> None:
        self.arena = Arena()
        self._memory = ctypes.create_string_buffer(
            library.VAL_BYTES + library.INSTANCE_BYTES + library.FUNC_BYTES
        )
        self.result = addressof(self._memory)
        self.instance = self.result + library.VAL_BYTES
        self.func = self.instance + library.INSTANCE_BYTES


class _CallError(Exception):
    """wasmtime gave an error: its message, and the status of a guest's own exit."""

    def __init__(self, message: str, exit_status: int | None) -> None:
        super().__init__(message)
        self.message = message
        self.exit_status = exit_status


class GuestRunner:
    """Runs guests of one engine; any number of threads may call `run` at the same time."""

    def __init__(self, *, engine: int, linker: HostLinker, invocations: Invocations) -> None:
        self._engine = engine
        self._linker = linker
        self._invocations = invocations
        self._scratch = _Scratch()
        self._encode = encoder(EXECUTE_REQUEST)

    def run(
        self,
        component: CompiledComponent,
        request: GuestRequest,
        host: Host,
        limits: InvocationLimits,
    ) -> GuestRun:
        """Calls the guest's `handler`; see `Engine.run`."""
        invocation = Invocation(host=host, limits=limits)
        pages = _page_faults()
        response: GuestResponse | None = None
        failure: ExtensionError | None = None
        error: _CallError | None = None
        number = self._invocations.add(invocation)
        try:
            response = self._call(component, request, limits, number)
        except _CallError as caught:
            error = caught
        except GuestResponseInvalidError as caught:
            failure = caught
        finally:
            self._invocations.remove(number)
            self._scratch.arena.clear()
        computed_ns = invocation.computing_ns
        touched = _guest_bytes(_page_faults() - pages, request, response)
        stderr = invocation.output.stderr
        if invocation.failure is not None:
            raise _platform_failure(invocation.failure)
        if error is not None:
            failure = _guest_failure(
                invocation,
                Evidence(
                    message=error.message,
                    exit_status=error.exit_status,
                    stderr=stderr,
                    touched_bytes=touched,
                    memory_bytes=limits.memory_bytes,
                    timeout_ms=limits.timeout_ms,
                    computing_ms=limits.computing_ms,
                    computed_ms=computed_ns // 1_000_000,
                ),
            )
        return GuestRun(
            response=response,
            failure=failure,
            guest_us=max(computed_ns // 1000, 0),
            peak_memory_bytes=touched,
            stdout=invocation.output.stdout,
            stderr=stderr,
            dropped_output_bytes=invocation.output.dropped_bytes,
        )

    def _call(
        self,
        component: CompiledComponent,
        request: GuestRequest,
        limits: InvocationLimits,
        number: int,
    ) -> GuestResponse:
        scratch = self._scratch
        arguments = scratch.arena.encode((self._encode, _execute_request(request)))
        store = library.store_new(self._engine, number, None)
        try:
            library.store_limiter(
                store,
                limits.memory_bytes,
                limits.table_elements,
                limits.instances,
                limits.tables,
                limits.memories,
            )
            context = library.store_context(store)
            library.context_set_epoch_deadline(
                context, ticks(min(limits.timeout_ms, limits.computing_ms))
            )
            if component.uses_wasi:
                self._give_wasi(context, number)
            _check(
                library.linker_instantiate(
                    self._linker.address, context, component.address, scratch.instance
                )
            )
            if not library.instance_get_func(
                scratch.instance, context, component.handler_address, scratch.func
            ):
                raise InternalError("a checked component has no handler")
            ctypes.memset(scratch.result, 0, library.VAL_BYTES)  # the call drops what stands there
            _check(library.func_call(scratch.func, context, arguments, 1, scratch.result, 1))
            try:
                return read_response(scratch.result)
            finally:
                library.val_delete(scratch.result)
        finally:
            library.store_delete(store)

    def _give_wasi(self, context: int, number: int) -> None:
        # Nothing is inherited and nothing opened: no environment, arguments, files or network.
        # A guest that uses WASI without it would abort the process.
        config = library.wasi_config_new()
        none = library.NO_FINALIZER
        library.wasi_config_set_stdout(config, self._linker.write_stdout, number, none)
        library.wasi_config_set_stderr(config, self._linker.write_stderr, number, none)
        _check(library.context_set_wasi(context, config))


def _execute_request(request: GuestRequest) -> Value:
    return {
        "context": {
            "request-id": request.request_id,
            "tenant-id": request.tenant_id,
            "extension-id": request.extension_id,
            "install-id": request.install_id,
            "version-id": request.version_id,
        },
        "http": {
            "method": request.method,
            "url": request.url,
            "headers": [{"name": name, "value": value} for name, value in request.headers],
            "body": request.body,
        },
    }


def _check(error: int | None) -> None:
    if error:
        raise _CallError(*library.take_error(error))


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


def _guest_bytes(pages: int, request: GuestRequest, response: GuestResponse | None) -> int:
    bodies = len(request.body or b"") + len((response and response.body) or b"")
    return max(pages * _PAGE_BYTES - bodies * _HOST_BYTES_PER_BODY_BYTE, 0)


def _platform_failure(failure: BaseException) -> BaseException:
    if isinstance(failure, ExtensionError) or not isinstance(failure, Exception):
        return failure
    error = InternalError("a host function failed")
    error.__cause__ = failure
    return error


def _guest_failure(invocation: Invocation, evidence: Evidence) -> ExtensionError:
    if invocation.refusal:
        return GuestTrappedError(f"the extension was stopped: {invocation.refusal}")
    failure = explain(evidence)
    if isinstance(failure, RunnerSaturatedError):
        raise failure
    return failure
