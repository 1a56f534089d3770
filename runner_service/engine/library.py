"""Raw functions of wasmtime's C API, and the proof that they are the ones this code was made for.

wasmtime's own Python package converts values through several objects each; the calls here take
plain addresses. That is only sound for the exact library whose memory layout was written down, so
`require_supported_library` compares version, sizes and offsets and refuses anything else.

Addresses are `int`; functions that return an error give 0 for success, or the address of an error
that `take_error` must consume.
"""

import ctypes
from collections.abc import Callable
from ctypes import addressof, c_bool, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from importlib.metadata import version

from wasmtime import _ffi as ffi

from shared.errors import InternalError

SUPPORTED_VERSION = "50.0.1"

VAL_BYTES = 32  # wasmtime_component_val_t: kind u8 at 0, payload at 8
ENTRY_BYTES = 48  # wasmtime_component_valrecord_entry_t: name (size, data) at 0, value at 16
INSTANCE_BYTES = 16
FUNC_BYTES = ctypes.sizeof(ffi.wasmtime_component_func_t)

HOST_FUNCTION = ctypes.CFUNCTYPE(
    c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t
)
"""(data, context, type, arguments, argument count, results, result count) -> error or 0."""

WRITE_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_ssize_t, c_void_p, c_void_p, c_size_t)
"""(data, bytes, count) -> how many were taken, or a negative errno."""

FINALIZER = ctypes.CFUNCTYPE(None, c_void_p)
NO_FINALIZER = FINALIZER()


def _function(name: str, result: object, *parameters: object) -> Callable[..., int]:
    """Binds one function of its own, so that wasmtime's bindings keep their prototypes."""
    prototype = ctypes.CFUNCTYPE(result, *parameters)  # type: ignore[arg-type]
    return prototype((name, ffi.dll))


store_new = _function("wasmtime_store_new", c_void_p, c_void_p, c_void_p, c_void_p)
store_context = _function("wasmtime_store_context", c_void_p, c_void_p)
store_limiter = _function(
    "wasmtime_store_limiter", None, c_void_p, c_int64, c_int64, c_int64, c_int64, c_int64
)
store_delete = _function("wasmtime_store_delete", None, c_void_p)
context_get_data = _function("wasmtime_context_get_data", c_void_p, c_void_p)
context_set_epoch_deadline = _function(
    "wasmtime_context_set_epoch_deadline", None, c_void_p, c_uint64
)
context_set_wasi = _function("wasmtime_context_set_wasi", c_void_p, c_void_p, c_void_p)
wasi_config_new = _function("wasi_config_new", c_void_p)
wasi_config_set_stdout = _function(
    "wasi_config_set_stdout_custom", None, c_void_p, WRITE_FUNCTION, c_void_p, FINALIZER
)
wasi_config_set_stderr = _function(
    "wasi_config_set_stderr_custom", None, c_void_p, WRITE_FUNCTION, c_void_p, FINALIZER
)
linker_instantiate = _function(
    "wasmtime_component_linker_instantiate", c_void_p, c_void_p, c_void_p, c_void_p, c_void_p
)
linker_instance_add_func = _function(
    "wasmtime_component_linker_instance_add_func",
    c_void_p,
    c_void_p,
    c_char_p,
    c_size_t,
    HOST_FUNCTION,
    c_void_p,
    FINALIZER,
)
instance_get_func = _function(
    "wasmtime_component_instance_get_func", c_bool, c_void_p, c_void_p, c_void_p, c_void_p
)
func_call = _function(
    "wasmtime_component_func_call",
    c_void_p,
    c_void_p,
    c_void_p,
    c_void_p,
    c_size_t,
    c_void_p,
    c_size_t,
)
val_clone = _function("wasmtime_component_val_clone", None, c_void_p, c_void_p)
val_delete = _function("wasmtime_component_val_delete", None, c_void_p)
error_new = _function("wasmtime_error_new", c_void_p, c_char_p)
error_message = _function("wasmtime_error_message", None, c_void_p, c_void_p)
error_exit_status = _function("wasmtime_error_exit_status", c_bool, c_void_p, c_void_p)
error_delete = _function("wasmtime_error_delete", None, c_void_p)
byte_vec_delete = _function("wasm_byte_vec_delete", None, c_void_p)
engine_clone = _function("wasmtime_engine_clone", c_void_p, c_void_p)
engine_increment_epoch_address: int = (
    ctypes.cast(ffi.dll.wasmtime_engine_increment_epoch, c_void_p).value or 0
)


def _offset(structure: type[ctypes.Structure], field: str) -> int:
    offset: int = getattr(structure, field).offset
    return offset


def address_of(pointer: object) -> int:
    """Gives the address that one of wasmtime's own pointer objects holds."""
    return ctypes.cast(pointer, c_void_p).value or 0  # type: ignore[arg-type]


def take_error(error: int) -> tuple[str, int | None]:
    """Consumes an error: gives its message, and the status if it is a guest's own exit."""
    try:
        status = c_int()
        exited = error_exit_status(error, addressof(status))
        message = ffi.wasm_byte_vec_t()
        error_message(error, addressof(message))
        try:
            text = ctypes.string_at(message.data, message.size).decode("utf-8", "replace")
        finally:
            byte_vec_delete(addressof(message))
        return text, status.value if exited else None
    finally:
        error_delete(error)


def require_supported_library() -> None:
    """Compares the loaded library with the one whose layout this package writes down.

    Raises:
        InternalError: the process must not start guests with this library.
    """
    found = version("wasmtime")
    if found != SUPPORTED_VERSION:
        raise InternalError(
            f"wasmtime {found} is installed, but the engine is written for {SUPPORTED_VERSION}: "
            f"install wasmtime=={SUPPORTED_VERSION}"
        )
    val, entry = ffi.wasmtime_component_val_t, ffi.wasmtime_component_valrecord_entry_t
    union, variant = ffi.wasmtime_component_valunion_t, ffi.wasmtime_component_valvariant_t
    expected = {
        "size of a value": (ctypes.sizeof(val), VAL_BYTES),
        "size of a record's entry": (ctypes.sizeof(entry), ENTRY_BYTES),
        "size of an instance": (ctypes.sizeof(ffi.wasmtime_component_instance_t), INSTANCE_BYTES),
        "offset of a value's payload": (_offset(val, "of"), 8),
        "offset of an entry's value": (_offset(entry, "val"), 16),
        "offset of a result's value": (_offset(ffi.wasmtime_component_valresult_t, "val"), 8),
        "offset of a variant's value": (_offset(variant, "val"), 16),
        "size of a payload": (ctypes.sizeof(union), 24),
        "kind of a string": (ffi.WASMTIME_COMPONENT_STRING.value, 12),
        "kind of a result": (ffi.WASMTIME_COMPONENT_RESULT.value, 19),
    }
    wrong = {what: pair for what, pair in expected.items() if pair[0] != pair[1]}
    if wrong:
        raise InternalError(f"wasmtime's memory layout is not the expected one: {wrong}")
