"""Reads a guest's values where wasmtime put them.

A decoder is built once for a type; what it reads was checked twice: by wasmtime against the
component's own type, and that type against the world (`runner_service.abi.type_check`). The kinds
and counts are compared all the same before any address is followed.

Sizes are looked at before anything is copied.
"""

import struct
from collections.abc import Callable, Iterator
from ctypes import string_at
from typing import Final, NoReturn, TypeAlias

from runner_service.abi.types import (
    EnumType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)
from runner_service.abi.values import Case, Err, Ok, Value
from runner_service.engine import layout

Decoder: TypeAlias = Callable[[int, int, int, int], Value]
"""Takes a value's four words."""

MAX_STRING_BYTES: Final = 1 << 20
MAX_BYTES: Final = 10 << 20
MAX_LIST_ITEMS: Final = 10_000

_QUAD = struct.Struct("<4Q")


class GuestValueError(Exception):
    """A guest's value is larger than host functions take; the text is for the publisher."""


class LayoutError(Exception):
    """Memory does not hold what the type says: never a guest's doing, so nothing is trusted."""


def read_value(decode: Decoder, address: int) -> Value:
    """Decodes the value at an address."""
    return decode(*_QUAD.unpack(string_at(address, 32)))


def read_values(decoders: tuple[Decoder, ...], address: int, count: int) -> tuple[Value, ...]:
    """Decodes a function's arguments, which lie side by side.

    Raises:
        GuestValueError: one of them is too large.
        LayoutError: they are not as many, or not of the kinds, that the function has.
    """
    if count != len(decoders):
        raise LayoutError(f"{count} arguments instead of {len(decoders)}")
    return tuple(
        decode(*words) for decode, words in zip(decoders, _quads(address, count), strict=True)
    )


def decoder(of: Type) -> Decoder:  # noqa: C901, PLR0911 - one arm for each type
    """Builds the decoder of a type.

    Raises:
        TypeError: the world has no such type.
    """
    match of:
        case Primitive.STRING:
            return _string
        case Primitive.BOOL:
            return _bool
        case Primitive.F64:
            return _f64
        case Primitive() if of in layout.UNSIGNED:
            return _unsigned(of)
        case ListType(Primitive.U8):
            return _bytes
        case ListType(element):
            return _list(decoder(element))
        case RecordType(fields):
            return _record(tuple((name, decoder(part)) for name, part in fields))
        case TupleType(elements):
            return _tuple(tuple(map(decoder, elements)))
        case OptionType(some):
            return _option(decoder(some))
        case ResultType(ok, err):
            return _result(_maybe(ok), _maybe(err))
        case EnumType(cases):
            return _enum(cases)
        case VariantType(cases):
            return _variant({name: _maybe(part) for name, part in cases})
    raise TypeError(f"the world has no {of}")


def _maybe(of: Type | None) -> Decoder | None:
    return None if of is None else decoder(of)


def _string(kind: int, size: int, address: int, _: int) -> str:
    _expect(kind, layout.STRING)
    if size > MAX_STRING_BYTES:
        raise GuestValueError(f"a string of {size} bytes is longer than {MAX_STRING_BYTES}")
    return string_at(address, size).decode() if size else ""


def _bool(kind: int, number: int, _: int, __: int) -> bool:
    _expect(kind, layout.BOOL)
    return bool(number & 0xFF)


def _f64(kind: int, bits: int, _: int, __: int) -> float:
    _expect(kind, layout.F64)
    number: float = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
    return number


def _unsigned(of: Primitive) -> Decoder:
    wanted, width = layout.UNSIGNED[of]
    mask = (1 << width) - 1

    def decode(kind: int, number: int, _: int, __: int) -> int:
        _expect(kind, wanted)
        return number & mask

    return decode


def _bytes(kind: int, count: int, address: int, _: int) -> bytes:
    _expect(kind, layout.LIST)
    if count > MAX_BYTES:
        raise GuestValueError(f"{count} bytes are more than {MAX_BYTES}")
    return string_at(address, count * 32)[8::32] if count else b""


def _list(item: Decoder) -> Decoder:
    def decode(kind: int, count: int, address: int, _: int) -> list[Value]:
        _expect(kind, layout.LIST)
        if count > MAX_LIST_ITEMS:
            raise GuestValueError(f"a list of {count} items is longer than {MAX_LIST_ITEMS}")
        return [item(*words) for words in _quads(address, count)]

    return decode


def _tuple(items: tuple[Decoder, ...]) -> Decoder:
    def decode(kind: int, count: int, address: int, _: int) -> tuple[Value, ...]:
        _expect(kind, layout.TUPLE)
        return read_values(items, address, count)

    return decode


def _record(fields: tuple[tuple[str, Decoder], ...]) -> Decoder:
    entries = struct.Struct(f"<{len(fields) * layout.ENTRY_WORDS}Q")
    places = tuple(
        (name, item, index * layout.ENTRY_WORDS + 2) for index, (name, item) in enumerate(fields)
    )

    def decode(kind: int, count: int, address: int, _: int) -> dict[str, Value]:
        _expect(kind, layout.RECORD)
        if count != len(places):
            raise LayoutError(f"a record of {count} fields instead of {len(places)}")
        words = entries.unpack(string_at(address, entries.size))
        return {name: item(*words[at : at + 4]) for name, item, at in places}

    return decode


def _option(some: Decoder) -> Decoder:
    def decode(kind: int, address: int, _: int, __: int) -> Value:
        _expect(kind, layout.OPTION)
        return read_value(some, address) if address else None

    return decode


def _result(ok: Decoder | None, err: Decoder | None) -> Decoder:
    def decode(kind: int, is_ok: int, address: int, _: int) -> Ok | Err:
        _expect(kind, layout.RESULT)
        arm, part = (Ok, ok) if is_ok & 0xFF else (Err, err)
        return arm(_payload(part, address))

    return decode


def _enum(cases: tuple[str, ...]) -> Decoder:
    names = {name.encode(): name for name in cases}
    longest = max(map(len, names))

    def decode(kind: int, size: int, address: int, _: int) -> str:
        _expect(kind, layout.ENUM)
        name = names.get(string_at(address, min(size, longest + 1)))
        return name if name is not None else _unknown_case()

    return decode


def _variant(cases: dict[str, Decoder | None]) -> Decoder:
    names = {name.encode(): (name, part) for name, part in cases.items()}
    longest = max(map(len, names))

    def decode(kind: int, size: int, address: int, payload: int) -> Case:
        _expect(kind, layout.VARIANT)
        name, part = names.get(string_at(address, min(size, longest + 1))) or _unknown_case()
        return Case(name, _payload(part, payload))

    return decode


def _payload(part: Decoder | None, address: int) -> Value:
    if part is None:
        return None
    if not address:
        raise LayoutError("a payload is missing")
    return read_value(part, address)


def _quads(address: int, count: int) -> Iterator[tuple[int, int, int, int]]:
    return _QUAD.iter_unpack(string_at(address, count * 32)) if count else iter(())


def _expect(kind: int, wanted: int) -> None:
    if kind & 0xFF != wanted:  # the other seven bytes are padding
        raise LayoutError(f"a value of kind {kind & 0xFF} instead of {wanted}")


def _unknown_case() -> NoReturn:
    raise LayoutError("a case that the type does not have")
