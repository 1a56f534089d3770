"""What a failed call means, told from the words that wasmtime left.

The C API gives no trap codes for components, only text, and JavaScript engines end on the same
`unreachable` for a thrown exception and for want of memory. What tells them apart is what the
guest wrote to stderr, and how much memory it had touched.

What publishers read is made here from fixed phrases and the guest's own last line; wasmtime's
text, which may speak of the host, goes no further.
"""

from dataclasses import dataclass
from typing import Final

from shared.errors import (
    ComponentInvalidError,
    ExtensionError,
    GuestOutOfMemoryError,
    GuestResponseInvalidError,
    GuestTimedOutError,
    GuestTrappedError,
    RunnerSaturatedError,
)

MAX_DETAIL: Final = 500

_TRAPS: Final = (
    (
        "wasm `unreachable` instruction executed",
        "it gave up (an uncaught exception?)",
    ),
    ("call stack exhausted", "its call stack is exhausted (an endless recursion?)"),
    ("out of bounds memory access", "it used memory outside its own"),
    ("undefined element: out of bounds table access", "it called through a missing table entry"),
    ("out of bounds table access", "it used a table outside its bounds"),
    ("uninitialized element", "it called through an empty table entry"),
    ("indirect call type mismatch", "it called a function by another type"),
    ("integer divide by zero", "it divided by zero"),
    ("integer overflow", "an integer overflowed"),
    ("invalid conversion to integer", "it made an integer of a number that is none"),
    ("list pointer/length out of bounds", "it gave a list that lies outside its memory"),
    ("string pointer/length out of bounds", "it gave a string that lies outside its memory"),
    ("out of range", "it gave a case that its type does not have"),
    ("pointer not aligned", "it gave a pointer that is not aligned"),
    ("invalid utf-8", "it gave a string that is not UTF-8"),
    ("incomplete utf-8", "it gave a string that is not UTF-8"),
    ("realloc return", "its allocator returned memory outside its own"),
    ("cannot enter component instance", "it was entered while it ran"),
    ("cannot leave component instance", "it called out where it may not"),
)

_OUT_OF_MEMORY_WORDS: Final = ("out of memory", "outofmemory", "allocation failed", "memoryerror")
_TAIL_LINES: Final = 10
_NOISE: Final = "note: run with `RUST_BACKTRACE"  # how a panic of a guest in Rust ends
_OUT_OF_MEMORY_TRAPS: Final = ("exceeds memory limits", "forcing trap when growing memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about a failed call.

    `touched_bytes` is how much fresh memory the call used; `memory_bytes` the limit of a memory.
    `computed_ms` is how long the guest itself ran.
    """

    message: str
    exit_status: int | None
    stderr: tuple[str, ...]
    touched_bytes: int
    memory_bytes: int
    timeout_ms: int
    computing_ms: int
    computed_ms: int


def explain(evidence: Evidence) -> ExtensionError:  # noqa: PLR0911 - one exit for each cause
    """Gives the error that tells a publisher why the call failed.

    A `RunnerSaturatedError` is the platform's; every other one is the guest's.
    """
    lines = evidence.message.strip().splitlines()
    cause = lines[-1].strip().lower() if lines else ""
    if evidence.exit_status is not None:
        return GuestTrappedError(
            _detail(f"the extension exited with status {evidence.exit_status}", evidence)
        )
    if cause.endswith("wasm trap: interrupt"):
        return _timed_out(evidence)
    if "fuel allocated for hostcalls" in cause:
        return GuestResponseInvalidError(
            "the extension passed more than about 2796000 bytes of a list<u8> at once; "
            "answer or store it in smaller parts"
        )
    if "maximum concurrent" in cause:
        return RunnerSaturatedError("every instance of the runner's pool is in use")
    if "matching implementation was not found" in evidence.message:
        return ComponentInvalidError("the component imports what the platform does not offer")
    if any(words in evidence.message for words in _OUT_OF_MEMORY_TRAPS):
        return _out_of_memory(evidence)
    if "unreachable" in cause and _memory_was_short(evidence):
        return _out_of_memory(evidence)
    phrase = next((phrase for words, phrase in _TRAPS if words in cause), "")
    return GuestTrappedError(_detail(f"the extension crashed: {phrase or 'it trapped'}", evidence))


def _timed_out(evidence: Evidence) -> GuestTimedOutError:
    if evidence.computed_ms >= evidence.computing_ms:
        return GuestTimedOutError(
            f"the extension computed for more than {evidence.computing_ms} ms"
        )
    return GuestTimedOutError(f"the extension took more than {evidence.timeout_ms} ms")


def _memory_was_short(evidence: Evidence) -> bool:
    # Allocators that are refused memory trap; a plain exception seldom touches half of the limit.
    tail = "\n".join(evidence.stderr[-_TAIL_LINES:]).lower()
    said_so = any(words in tail for words in _OUT_OF_MEMORY_WORDS)
    return said_so or evidence.touched_bytes * 2 >= evidence.memory_bytes


def _out_of_memory(evidence: Evidence) -> GuestOutOfMemoryError:
    mib = evidence.memory_bytes / (1 << 20)
    return GuestOutOfMemoryError(
        _detail(f"the extension needs more memory than its {mib:.6g} MiB", evidence)
    )


def _detail(text: str, evidence: Evidence) -> str:
    lines = (line.strip() for line in reversed(evidence.stderr))
    last = next((line for line in lines if line and not line.startswith(_NOISE)), "")
    line = "".join(c if c.isprintable() else " " for c in last)
    return f"{text}; its last line on stderr: {line}"[:MAX_DETAIL] if line else text[:MAX_DETAIL]
