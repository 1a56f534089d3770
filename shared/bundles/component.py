"""What a component asks for and what it offers, read from its binary without a wasm engine.

Only the outline is read: the names of the top level's imports and exports. Whether the code is
valid and the types fit is for the runner's engine; what it may link at all is decided here, so that
a publisher learns of it at `extctl pack` and not from a tenant.
"""

import re
from dataclasses import dataclass
from typing import Final

from shared.bundles.component_reader import read_outline
from shared.bundles.entry_path import shown
from shared.bundles.layout import COMPONENT_PATH
from shared.errors import ComponentInvalidError, Fault

HANDLER: Final = "handler"
KNOWN_INTERFACES: Final = frozenset(
    f"alga:extension/{name}"
    for name in (
        "context",
        "secrets",
        "http",
        "storage",
        "logging",
        "ui-proxy",
        "user",
        "user-v2",
        "scheduler",
        "invoicing",
        "clients",
        "services",
        "types",
    )
) | {"wasi:config/store@0.2.0-rc.1"}

_WASI = re.compile(
    r"wasi:(?:io|cli|clocks|filesystem|random)/[a-z][a-z0-9-]*@0\.2\.[0-9]{1,4}", re.ASCII
)
_NETWORK = re.compile(r"wasi:(?:http|sockets)(?:/.*)?", re.ASCII)
_HOW_TO_MAKE: Final = (
    "make one with componentize-js or componentize-qjs for world alga:extension/runner"
)
_MAX_FAULTS: Final = 50


@dataclass(frozen=True, slots=True)
class ComponentOutline:
    """The names at a component's top level, in the order of the binary.

    Imports that only name a type are left out: they carry no power.
    """

    imports: tuple[str, ...]
    exports: tuple[str, ...]


def check_component(data: bytes) -> ComponentOutline:
    """Reads the outline, and refuses a component that the platform would never run.

    Raises:
        ComponentInvalidError: it is no component, or damaged; or (all told together, as `faults`)
            it exports no `handler` or imports what is never linked.
    """
    _check_kind(data)
    imports, exports = read_outline(data)
    outline = ComponentOutline(imports=imports, exports=exports)
    faults = [fault for name in imports if (fault := _fault_of_import(name))]
    if HANDLER not in exports:
        faults.append(
            Fault(
                "exports",
                "handler_missing",
                "The component exports no function named handler.",
                f"Export `handler`: {_HOW_TO_MAKE}.",
            )
        )
    if faults:
        told = " ".join(fault.message for fault in faults[:3])
        raise ComponentInvalidError(
            f"{COMPONENT_PATH} is refused: {told}", faults=faults[:_MAX_FAULTS]
        )
    return outline


def _fault_of_import(name: str) -> Fault | None:
    if name in KNOWN_INTERFACES or _WASI.fullmatch(name):
        return None
    where = f"imports[{shown(name)}]"
    if _NETWORK.fullmatch(name):
        return Fault(
            where,
            "network_import",
            f"The component imports {shown(name)}, which is never linked.",
            "Reach the network with alga:extension/http and capability cap:http.fetch; build with "
            "componentize-js -d http -d fetch-event, or componentize-qjs --stub-wasi.",
        )
    return Fault(
        where,
        "unknown_import",
        f"The component imports {shown(name)}, which the platform does not have.",
        "Import only the interfaces of alga:extension, wasi:config/store@0.2.0-rc.1 and "
        "WASI 0.2 io, cli, clocks, filesystem and random.",
    )


def _check_kind(data: bytes) -> None:
    """Tells what is no component apart, by its first bytes."""
    if data.startswith(b"\0asm\x0d\0\x01\0"):
        return
    if data.startswith(b"\0asm\x01\0\0\0"):
        kind = "a core WebAssembly module, not a component"
    elif data.startswith(b"\0asm"):
        kind = "WebAssembly of a version that the platform does not read"
    elif data.startswith(b"\x7fELF"):
        kind = "native or precompiled code (.cwasm), which the platform never loads"
    elif data.lstrip()[:1] in (b"(", b";"):
        kind = "WebAssembly text; assemble it into a binary component"
    elif not data:
        kind = "empty"
    else:
        kind = "not WebAssembly"
    raise ComponentInvalidError(f"{COMPONENT_PATH} is {kind}; {_HOW_TO_MAKE}.")
