"""Whether a component is one of this world: the last gate before its code may run.

Linker functions are typed by what the *component* says, and the codec reads memory by what *we*
say. So a component whose types differ anywhere must never be instantiated: it would hand
arbitrary integers to code that takes them for addresses.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner_service.abi.types import FunctionType, OpaqueType, Type, differences
from runner_service.abi.world import HANDLER, HANDLER_NAME, IMPORTS
from shared.errors import ComponentInvalidError, Fault

_TYPES_ONLY = "alga:extension/types"
_WASI = re.compile(r"wasi:(?:io|cli|clocks|filesystem|random)/[a-z0-9-]+@0\.2\.[0-9]{1,4}")
_REFUSED = {
    "wasi:http/": "the way out is alga:extension/http; build without wasi:http (componentize-js: "
    "--disable http --disable fetch-event)",
    "wasi:sockets/": "extensions have no sockets; the way out is alga:extension/http",
}
_MAX_FAULTS = 50
_MAX_TEXT = 300  # names and types are the component's own, and can be as long as it likes


@dataclass(frozen=True, slots=True)
class InterfaceShape:
    """What a component expects of an imported instance, or gives in an exported one.

    `others` has what is neither a function nor a plain type, by name: `resource`, `module` ….
    """

    functions: Mapping[str, FunctionType]
    others: Mapping[str, str]


Item = InterfaceShape | FunctionType | Type


@dataclass(frozen=True, slots=True)
class ComponentShape:
    """A component's imports and exports, as the engine reflects them."""

    imports: Mapping[str, Item]
    exports: Mapping[str, Item]

    @property
    def uses_wasi(self) -> bool:
        """Whether the component imports anything that needs a WASI state in its store."""
        return any(_WASI.fullmatch(name) for name in self.imports)


def check_component(shape: ComponentShape) -> None:
    """Refuses a component that is not one of this world.

    Raises:
        ComponentInvalidError: with one fault for each difference.
    """
    faults = [*_import_faults(shape.imports), *_handler_faults(shape.exports.get(HANDLER_NAME))]
    if faults:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ComponentInvalidError(
            f"{first.path}: {first.message}{more}", faults=faults[:_MAX_FAULTS]
        )


def _handler_faults(item: Item | None) -> Iterator[Fault]:
    path = f"exports.{HANDLER_NAME}"
    if item is None:
        yield _fault(
            path=path,
            code="handler_missing",
            message="the component does not export it",
            hint="build it for the world `runner` of package alga:extension",
        )
    elif not isinstance(item, FunctionType):
        yield _fault(path=path, code="handler_mistyped", message="it is not a function")
    else:
        for line in differences(item, HANDLER):
            yield _fault(path=path, code="handler_mistyped", message=line)


def _import_faults(imports: Mapping[str, Item]) -> Iterator[Fault]:
    for name, item in imports.items():
        path = f"imports.{name}"
        if name in IMPORTS or name == _TYPES_ONLY:
            yield from _interface_faults(path, item, IMPORTS.get(name, {}))
        elif _WASI.fullmatch(name) and isinstance(item, InterfaceShape):
            continue
        elif _is_plain_type(item):
            continue  # a world's own `use types.{…}`: a name for a shape, nothing to call
        else:
            hint = next((h for prefix, h in _REFUSED.items() if name.startswith(prefix)), "")
            yield _fault(
                path=path,
                code="import_refused",
                message="the platform does not offer it",
                hint=hint or "import only what the world `runner` has",
            )


def _interface_faults(
    path: str, item: Item, offered: Mapping[str, FunctionType]
) -> Iterator[Fault]:
    if not isinstance(item, InterfaceShape):
        yield _fault(path=path, code="import_mistyped", message="it is not an interface")
        return
    for name, kind in item.others.items():
        yield _fault(
            path=f"{path}.{name}", code="import_unknown", message=f"the interface has no {kind}"
        )
    for name, function in item.functions.items():
        wanted = offered.get(name)
        if wanted is None:
            yield _fault(
                path=f"{path}.{name}",
                code="import_unknown",
                message="the interface has no such function",
                hint=f"it has: {', '.join(offered) or 'types only'}",
            )
            continue
        for line in differences(function, wanted):
            yield _fault(path=f"{path}.{name}", code="import_mistyped", message=line)


def _fault(*, path: str, code: str, message: str, hint: str = "") -> Fault:
    return Fault(path=_cut(path), code=code, message=_cut(message), hint=hint)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def _is_plain_type(item: Item) -> bool:
    return not isinstance(item, InterfaceShape | FunctionType | OpaqueType)
