"""Types of the component model, as plain data.

Two descriptors are equal exactly when values of the two types have the same shape, whatever the
types are called: records compare by the names, order and types of their fields.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Primitive(StrEnum):
    """Types without parts."""

    BOOL = "bool"
    S8 = "s8"
    U8 = "u8"
    S16 = "s16"
    U16 = "u16"
    S32 = "s32"
    U32 = "u32"
    S64 = "s64"
    U64 = "u64"
    F32 = "f32"
    F64 = "f64"
    CHAR = "char"
    STRING = "string"


@dataclass(frozen=True, slots=True)
class ListType:
    """`list<element>`."""

    element: "Type"

    def __str__(self) -> str:
        return f"list<{self.element}>"


@dataclass(frozen=True, slots=True)
class RecordType:
    """`record`, with its fields in order."""

    fields: tuple[tuple[str, "Type"], ...]

    def __str__(self) -> str:
        return "record {" + ", ".join(f"{name}: {of}" for name, of in self.fields) + "}"


@dataclass(frozen=True, slots=True)
class TupleType:
    """`tuple<…>`."""

    elements: tuple["Type", ...]

    def __str__(self) -> str:
        return "tuple<" + ", ".join(map(str, self.elements)) + ">"


@dataclass(frozen=True, slots=True)
class VariantType:
    """`variant`, with its cases in order; None stands for a case without payload."""

    cases: tuple[tuple[str, "Type | None"], ...]

    def __str__(self) -> str:
        return "variant {" + ", ".join(_case(name, of) for name, of in self.cases) + "}"


@dataclass(frozen=True, slots=True)
class EnumType:
    """`enum`, with its cases in order."""

    cases: tuple[str, ...]

    def __str__(self) -> str:
        return "enum {" + ", ".join(self.cases) + "}"


@dataclass(frozen=True, slots=True)
class OptionType:
    """`option<some>`."""

    some: "Type"

    def __str__(self) -> str:
        return f"option<{self.some}>"


@dataclass(frozen=True, slots=True)
class ResultType:
    """`result<ok, err>`; None stands for `_`."""

    ok: "Type | None"
    err: "Type | None"

    def __str__(self) -> str:
        return f"result<{self.ok or '_'}, {self.err or '_'}>"


@dataclass(frozen=True, slots=True)
class OpaqueType:
    """A type that this world does not have (a resource, a stream, flags …), by its WIT name.

    It is equal to no type of the world, so a component that uses one is told apart by name.
    """

    name: str

    def __str__(self) -> str:
        return self.name


Type = (
    Primitive
    | ListType
    | RecordType
    | TupleType
    | VariantType
    | EnumType
    | OptionType
    | ResultType
    | OpaqueType
)


@dataclass(frozen=True, slots=True)
class FunctionType:
    """A function's shape. Parameters have no names here: those do not change how it is called."""

    parameters: tuple[Type, ...] = ()
    result: Type | None = None

    def __str__(self) -> str:
        parameters = ", ".join(map(str, self.parameters))
        return f"func({parameters})" + (f" -> {self.result}" if self.result else "")


def differences(found: FunctionType, wanted: FunctionType) -> Iterator[str]:
    """Yields where `found` departs from `wanted`, one line for each difference.

    The lines name the place and the two types that stand there: the smallest ones that differ.
    """
    if len(found.parameters) != len(wanted.parameters):
        yield f"takes {len(found.parameters)} parameters instead of {len(wanted.parameters)}"
    else:
        pairs = zip(found.parameters, wanted.parameters, strict=True)
        for index, (found_type, wanted_type) in enumerate(pairs):
            yield from _differences(f"parameter {index}", found_type, wanted_type)
    yield from _differences("result", found.result, wanted.result)


def _differences(at: str, found: Type | None, wanted: Type | None) -> Iterator[str]:
    if found == wanted:
        return
    match found, wanted:
        case RecordType(found_fields), RecordType(wanted_fields):
            found_names = [name for name, _ in found_fields]
            wanted_names = [name for name, _ in wanted_fields]
            if found_names != wanted_names:
                yield f"{at} has the fields {found_names} instead of {wanted_names}"
                return
            pairs = zip(found_fields, wanted_fields, strict=True)
            for (name, found_type), (_, wanted_type) in pairs:
                yield from _differences(f"{at}.{name}", found_type, wanted_type)
        case ListType(found_part), ListType(wanted_part):
            yield from _differences(f"{at}[]", found_part, wanted_part)
        case OptionType(found_part), OptionType(wanted_part):
            yield from _differences(f"{at}?", found_part, wanted_part)
        case ResultType(found_ok, found_err), ResultType(wanted_ok, wanted_err):
            yield from _differences(f"{at}.ok", found_ok, wanted_ok)
            yield from _differences(f"{at}.err", found_err, wanted_err)
        case _:
            yield f"{at} is {found or 'nothing'} instead of {wanted or 'nothing'}"


def _case(name: str, of: Type | None) -> str:
    return name if of is None else f"{name}({of})"
