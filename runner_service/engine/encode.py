"""Writes values for a guest into memory of our own, laid out as wasmtime reads them.

Arguments are only borrowed by a call, so they stay here; a host function's result is cloned from
here by wasmtime, in one step, into memory that it owns. Nothing of wasmtime's is allocated before
a value was encoded as a whole, so a value that cannot be encoded leaks nothing.
"""

import ctypes
import struct
from collections.abc import Callable
from ctypes import addressof
from typing import TypeAlias

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
from runner_service.engine.layout import Words

_NOTHING = (0, 0, 0)


class ValueMismatchError(Exception):
    """A host value is not of the type that the world promises to guests: a fault of ours."""


class _TextFullError(Exception):
    """The text did not fit: the arena must grow, and the value be encoded again."""


class Arena:
    """Memory that one thread encodes into, one value at a time; reused from call to call.

    An encoded value lives until the next `encode` or `clear`.
    """

    def __init__(self, *, words: int = 2048, text_bytes: int = 16384) -> None:
        self._words_capacity = words
        self._text_capacity = text_bytes
        self._allocate()
        self.clear()

    def encode(self, *encoded: tuple["Encoder", Value]) -> int:
        """Encodes values side by side, as a function's arguments; gives the first one's address.

        Raises:
            ValueMismatchError: a value is not of its encoder's type.
        """
        while not self._try_encode(encoded):
            self._allocate()
        return self.base

    def clear(self) -> None:
        """Forgets the value: a body of bytes takes 32 times its size."""
        self.words: list[int] = []
        self._text_used = 0
        self._kept: list[object] = []

    def reserve(self, words: int) -> int:
        """Sets room aside; gives its index in `words`, to be filled before `encode` ends."""
        at = len(self.words)
        self.words.extend([0] * words)
        return at

    def place(self, words: Words) -> int:
        """Writes a value of its own; gives its address."""
        at = len(self.words)
        self.words.extend(words)
        return self.base + at * layout.WORD

    def text(self, encoded: bytes) -> int:
        """Copies text; gives its address."""
        start, end = self._text_used, self._text_used + len(encoded)
        if end > self._text_capacity:
            self._text_capacity = 2 * end
            raise _TextFullError
        self._text_memory[start:end] = encoded
        self._text_used = end
        return self._text_base + start

    def keep(self, memory: bytearray) -> int:
        """Holds memory that the value points into; gives its address."""
        view = (ctypes.c_char * len(memory)).from_buffer(memory)
        self._kept.append(view)
        return addressof(view)

    def _try_encode(self, encoded: tuple[tuple["Encoder", Value], ...]) -> bool:
        self.clear()
        self.reserve(layout.VALUE_WORDS * len(encoded))
        try:
            for index, (encode, value) in enumerate(encoded):
                at = index * layout.VALUE_WORDS
                self.words[at : at + layout.VALUE_WORDS] = encode(self, value)
        except _TextFullError:
            return False
        if len(self.words) > self._words_capacity:
            # Addresses were made for memory that is too small: they are made again.
            self._words_capacity = 2 * len(self.words)
            return False
        struct.pack_into(f"<{len(self.words)}Q", self._words_memory, 0, *self.words)
        return True

    def _allocate(self) -> None:
        self._words_memory = ctypes.create_string_buffer(self._words_capacity * layout.WORD)
        self.base = addressof(self._words_memory)
        self._text_memory = bytearray(self._text_capacity)
        self._text_view = (ctypes.c_char * self._text_capacity).from_buffer(self._text_memory)
        self._text_base = addressof(self._text_view)


Encoder: TypeAlias = Callable[[Arena, Value], Words]
"""Writes a value's parts into the arena; gives its own four words."""


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
    names = _Names(tuple(fields))
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
    names = _Names(cases)

    def encode(_: Arena, value: Value) -> Words:
        place = names.place.get(value) if isinstance(value, str) else None
        if place is None:
            raise _mismatch(value, f"one of {names}")
        return (layout.ENUM, *place, 0)

    return encode


def _variant(cases: dict[str, Encoder | None]) -> Encoder:
    names = _Names(tuple(cases))

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


class _Names:
    """Names that outlive every call, so that no call copies them.

    An encoder must refer to this object itself: its memory lives no longer than that.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        encoded = [name.encode() for name in names]
        self._memory = ctypes.create_string_buffer(b"".join(encoded))
        self.place: dict[str, tuple[int, int]] = {}
        address = addressof(self._memory)
        for name, data in zip(names, encoded, strict=True):
            self.place[name] = (len(data), address)
            address += len(data)

    def __str__(self) -> str:
        return ", ".join(self.place)


def _mismatch(value: Value, wanted: str) -> ValueMismatchError:
    # Only the type's name: the value may be a tenant's.
    return ValueMismatchError(f"a {type(value).__name__} stands where {wanted} is needed")
