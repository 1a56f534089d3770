"""How the engine is set up: which proposals guests may use, and how memory is handed out.

Everything that is not listed as allowed is off: each proposal is code of the compiler that a
hostile component can reach.
"""

import contextlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wasmtime import Config
from wasmtime import _ffi as ffi

from runner_service.engine import library

MIB: Final = 1 << 20

# Without multi_memory, wasmtime aborts the process when it compiles a component whose inner
# components call each other: the code that it makes itself between them uses two memories.
_ALLOWED = ("bulk_memory", "multi_memory", "multi_value", "reference_types", "simd")
_REFUSED = (
    "custom_page_sizes",
    "exceptions",
    "function_references",
    "gc",
    "memory64",
    "relaxed_simd",
    "stack_switching",
    "tail_call",
    "threads",
    "wide_arithmetic",
)
_REFUSED_OF_COMPONENTS = ("async", "async_stackful", "map", "more_async_builtins")

# What one component may need. componentize-py's guests have 38 core instances, QuickJS's three
# memories; the sizes bound what wasmtime keeps for an instance, not the guest's own memory.
_CORE_INSTANCES, _MEMORIES, _TABLES = 48, 8, 48
_INSTANCE_BYTES = 4 * MIB
TABLE_ELEMENTS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What an engine is made with.

    `pooling` reserves the address space of `max_instances` guests at the start and reuses it,
    which is faster; without it every guest maps memory of its own. `max_memory_bytes` bounds
    every memory of a pooling engine, whatever an invocation allows. `keep_resident_bytes` of a
    slot stay mapped for its next guest: they cost that much memory for each of
    `max_warm_instances`. `wasm_stack_bytes` must leave room on the threads that call guests.
    """

    pooling: bool = True
    max_instances: int = 64
    max_warm_instances: int = 8
    max_memory_bytes: int = 256 * MIB
    keep_resident_bytes: int = 8 * MIB
    wasm_stack_bytes: int = 512 * 1024


def code_fingerprint() -> str:
    """What code depends on: the compiler, the machine, and what guests may use.

    How much memory an engine has, and where it comes from, is not part of it: the same code runs
    with and without a pool. What else wasmtime needs to agree on, it checks when it loads code.
    """
    language = ",".join((*_ALLOWED, "epochs"))
    target = f"{platform.machine()}-{platform.system().lower()}"
    return f"wasmtime={library.SUPPORTED_VERSION};target={target};language={language}"


def wasmtime_config(settings: EngineSettings) -> Config:
    """Makes the configuration of an engine, for one use."""
    config = Config()
    for proposal in _ALLOWED:
        getattr(ffi, f"wasmtime_config_wasm_{proposal}_set")(config.ptr(), True)
    for proposal in _REFUSED:
        getattr(ffi, f"wasmtime_config_wasm_{proposal}_set")(config.ptr(), False)
    for proposal in _REFUSED_OF_COMPONENTS:
        getattr(ffi, f"wasmtime_config_wasm_component_model_{proposal}_set")(config.ptr(), False)
    config.wasm_component_model = True
    config.gc_support = False
    config.shared_memory = False
    config.epoch_interruption = True
    config.memory_init_cow = True
    config.max_wasm_stack = settings.wasm_stack_bytes
    if settings.pooling:
        with _pool(settings) as pool:
            ffi.wasmtime_pooling_allocation_strategy_set(config.ptr(), pool)
    return config


@contextlib.contextmanager
def _pool(settings: EngineSettings) -> Iterator[object]:
    many = settings.max_instances
    values = {
        "total_component_instances": many,
        "total_core_instances": many * _CORE_INSTANCES,
        "total_memories": many * _MEMORIES,
        "total_tables": many * _TABLES,
        "total_stacks": many,
        "max_component_instance_size": _INSTANCE_BYTES,
        "max_core_instance_size": _INSTANCE_BYTES,
        "max_core_instances_per_component": _CORE_INSTANCES,
        "max_memories_per_component": _MEMORIES,
        "max_tables_per_component": _TABLES,
        "table_elements": TABLE_ELEMENTS,
        "max_memory_size": settings.max_memory_bytes,
        "linear_memory_keep_resident": settings.keep_resident_bytes,
        "table_keep_resident": min(settings.keep_resident_bytes, MIB),
        "max_unused_warm_slots": settings.max_warm_instances,
    }
    pool = ffi.wasmtime_pooling_allocation_config_new()
    try:
        for name, value in values.items():
            getattr(ffi, f"wasmtime_pooling_allocation_config_{name}_set")(pool, value)
        yield pool
    finally:
        ffi.wasmtime_pooling_allocation_config_delete(pool)
