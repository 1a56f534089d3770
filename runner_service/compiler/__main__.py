"""`python -m runner_service.compiler PARENT_PID [--check-only]`: compiles one component.

The component comes on standard input. The answer goes to standard output: one line of JSON, then,
unless it is refused or only checked, the machine code (see `shared.component_compiler`). The exit
status is 0 when there is an answer, whatever it is. It is started with a parent's pid, with which
it dies.
"""

import dataclasses
import json
import sys
from typing import Final

from runner_service.compiler.confinement import CompilerLimits, confine
from shared.bundles.layout import DEFAULT_LIMITS
from shared.component_compiler import EXIT_OUT_OF_MEMORY, EXIT_USAGE
from shared.errors import ComponentInvalidError

CHECK_ONLY: Final = "--check-only"


def main() -> None:
    """Confines itself, compiles, answers."""
    match sys.argv[1:]:
        case [parent, *flags] if parent.isdecimal() and flags in ([], [CHECK_ONLY]):
            confine(CompilerLimits(), parent=int(parent))
        case _:
            sys.stderr.write(f"{__doc__}\n")
            sys.exit(EXIT_USAGE)
    try:
        _answer(with_code=not flags)
    except MemoryError:
        sys.exit(EXIT_OUT_OF_MEMORY)


def _answer(*, with_code: bool) -> None:
    # only now: what reads the stranger's bytes is loaded into a process that is confined already
    from runner_service.engine import Engine, EngineSettings  # noqa: PLC0415 - see above

    component = sys.stdin.buffer.read(DEFAULT_LIMITS.unpacked_bytes + 1)
    code = b""
    # code depends on no pool: a pool is only how its instances get their memory
    with Engine(settings=EngineSettings(pooling=False)) as engine:
        answer: dict[str, object] = {"accepted": True, "fingerprint": engine.fingerprint}
        try:
            code = engine.compile(component).code()
        except ComponentInvalidError as error:
            faults = [dataclasses.asdict(fault) for fault in error.faults]
            answer = {"accepted": False, "message": error.message, "faults": faults}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    if with_code:
        sys.stdout.buffer.write(code)


if __name__ == "__main__":
    main()
