"""Lays Python values out as wasmtime reads them.

An encoder is built once for a type. It checks every value against it: what capabilities answer is
made of tenants' data, and a fault there must not become a wild address.
"""

import struct

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
from runner_service.engine.arena import Arena, Encoder, Names
from runner_service.engine.layout import Words


class ValueMismatchError(Exception):
    """A host value is not of the type that the world promises to guests: a fault of ours."""


def encoder(of: Type) -> Encoder:  # noqa: C901, PLR0911 - one arm for each type
    """Builds the encoder of a type.

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
            return _list(encoder(element))
        case RecordType(fields):
            return _record({name: encoder(part) for name, part in fields})
        case TupleType(elements):
            return _tuple(tuple(map(encoder, elements)))
        case OptionType(some):
            return _option(encoder(some))
        case ResultType(ok, err):
            return _result(_maybe(ok), _maybe(err))
        case EnumType(cases):
            return _enum(cases)
        case VariantType(cases):
            return _variant({name: _maybe(part) for name, part in cases})
    raise TypeError(f"the world has no {of}")


def _maybe(of: Type | None) -> Encoder | None:
    return None if of is None else encoder(of)


def _string(arena: Arena, value: Value) -> Words:
    if not isinstance(value, str):
        raise _mismatch(value, "a str")
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        raise ValueMismatchError("a str has a lone surrogate") from None
    return (layout.STRING, len(encoded), arena.text(encoded), 0)


def _bool(_: Arena, value: Value) -> Words:
    if not isinstance(value, bool):
        raise _mismatch(value, "a bool")
    return (layout.BOOL, int(value), 0, 0)


def _f64(_: Arena, value: Value) -> Words:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(value, "a float")
    return (layout.F64, int.from_bytes(struct.pack("<d", value), "little"), 0, 0)


def _unsigned(of: Primitive) -> Encoder:
    kind, width = layout.UNSIGNED[of]

    def encode(_: Arena, value: Value) -> Words:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << width:
            raise _mismatch(value, f"a {of}")
        return (kind, value, 0, 0)

    return encode


def _bytes(arena: Arena, value: Value) -> Words:
    if not isinstance(value, bytes):
        raise _mismatch(value, "bytes")
    if not value:
        return (layout.LIST, 0, 0, 0)
    memory = bytearray(layout.U8_PATTERN) * len(value)
    memory[8::32] = value
    return (layout.LIST, len(value), arena.keep(memory), 0)


def _side_by_side(arena: Arena, kind: int, parts: list[tuple[Encoder, Value]]) -> Words:
    if not parts:
        return (kind, 0, 0, 0)
    at = arena.reserve(len(parts) * layout.VALUE_WORDS)
    for index, (encode, value) in enumerate(parts):
        start = at + index * layout.VALUE_WORDS
        arena.words[start : start + layout.VALUE_WORDS] = encode(arena, value)
    return (kind, len(parts), arena.base + at * layout.WORD, 0)


def _list(item: Encoder) -> Encoder:
    def encode(arena: Arena, value: Value) -> Words:
        if not isinstance(value, list):
            raise _mismatch(value, "a list")
        return _side_by_side(arena, layout.LIST, [(item, part) for part in value])

    return encode


def _tuple(items: tuple[Encoder, ...]) -> Encoder:
    def encode(arena: Arena, value: Value) -> Words:
        if not isinstance(value, tuple) or len(value) != len(items):
            raise _mismatch(value, f"a tuple of {len(items)}")
        return _side_by_side(arena, layout.TUPLE, list(zip(items, value, strict=True)))

    return encode


def _record(fields: dict[str, Encoder]) -> Encoder:
    names = Names(tuple(fields))
    places = tuple((name, *names.place[name], encode) for name, encode in fields.items())

    def encode(arena: Arena, value: Value) -> Words:
        if not isinstance(value, dict) or value.keys() != names.place.keys():
            raise _mismatch(value, f"a dict of {names}")
        at = arena.reserve(len(places) * layout.ENTRY_WORDS)
        start = at
        for name, size, address, part in places:
            words = (size, address, *part(arena, value[name]))
            arena.words[start : start + layout.ENTRY_WORDS] = words
            start += layout.ENTRY_WORDS
        return (layout.RECORD, len(places), arena.base + at * layout.WORD, 0)

    return encode


def _option(some: Encoder) -> Encoder:
    def encode(arena: Arena, value: Value) -> Words:
        return (layout.OPTION, arena.place(some(arena, value)) if value is not None else 0, 0, 0)

    return encode


def _result(ok: Encoder | None, err: Encoder | None) -> Encoder:
    def encode(arena: Arena, value: Value) -> Words:
        if not isinstance(value, Ok | Err):
            raise _mismatch(value, "Ok or Err")
        is_ok = isinstance(value, Ok)
        address = _payload(arena, ok if is_ok else err, value.value)
        return (layout.RESULT, int(is_ok), address, 0)

    return encode


def _enum(cases: tuple[str, ...]) -> Encoder:
    names = Names(cases)

    def encode(_: Arena, value: Value) -> Words:
        place = names.place.get(value) if isinstance(value, str) else None
        if place is None:
            raise _mismatch(value, f"one of {names}")
        return (layout.ENUM, *place, 0)

    return encode


def _variant(cases: dict[str, Encoder | None]) -> Encoder:
    names = Names(tuple(cases))

    def encode(arena: Arena, value: Value) -> Words:
        if not isinstance(value, Case) or value.name not in cases:
            raise _mismatch(value, f"a Case of {names}")
        address = _payload(arena, cases[value.name], value.payload)
        return (layout.VARIANT, *names.place[value.name], address)

    return encode


def _payload(arena: Arena, part: Encoder | None, value: Value) -> int:
    if part is not None:
        return arena.place(part(arena, value))
    if value is not None:
        raise _mismatch(value, "None")
    return 0


def _mismatch(value: Value, wanted: str) -> ValueMismatchError:
    # Only the type's name: the value may be a tenant's.
    return ValueMismatchError(f"a {type(value).__name__} stands where {wanted} is needed")
