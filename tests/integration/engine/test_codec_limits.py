import ctypes
import platform
import struct
from ctypes import addressof

import pytest

from runner_service.abi.types import (
    EnumType,
    ListType,
    OpaqueType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)
from runner_service.abi.values import Case, Ok, Value
from runner_service.engine import Engine, EngineSettings, layout, library
from runner_service.engine.arena import Arena
from runner_service.engine.decode import (
    MAX_BYTES,
    MAX_LIST_ITEMS,
    MAX_STRING_BYTES,
    GuestValueError,
    LayoutError,
    decoder,
    read_value,
    read_values,
)
from runner_service.engine.encode import ValueMismatchError, encoder
from shared.errors import InternalError

STRING = Primitive.STRING
PAIR = RecordType((("a", STRING), ("b", Primitive.U8)))


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (STRING, b"bytes"),
        (STRING, "\udfff"),
        (STRING, None),
        (Primitive.BOOL, 1),
        (Primitive.U8, True),
        (Primitive.U8, 256),
        (Primitive.U16, -1),
        (Primitive.U32, 1 << 32),
        (Primitive.U64, 1 << 64),
        (Primitive.U64, 1.0),
        (Primitive.F64, "1"),
        (Primitive.F64, True),
        (ListType(Primitive.U8), "text"),
        (ListType(STRING), ("a",)),
        (PAIR, {"a": "x"}),
        (PAIR, {"a": "x", "b": 1, "c": 2}),
        (PAIR, ["x", 1]),
        (TupleType((STRING, STRING)), ("a",)),
        (TupleType((STRING,)), ["a"]),
        (ResultType(STRING, None), "bare"),
        (ResultType(None, STRING), Ok("too much")),
        (ResultType(STRING, None), Ok()),
        (EnumType(("a",)), "b"),
        (EnumType(("a",)), 0),
        (VariantType((("a", None),)), Case("b")),
        (VariantType((("a", None),)), Case("a", "too much")),
        (VariantType((("a", STRING),)), "a"),
    ],
)
def test_a_value_of_another_type_is_refused_without_showing_it(of: Type, value: Value) -> None:
    with pytest.raises(ValueMismatchError) as refused:
        Arena().encode((encoder(of), value))
    assert "too much" not in str(refused.value)
    assert "bare" not in str(refused.value)


def read(of: Type, *words: int) -> Value:
    memory = ctypes.create_string_buffer(struct.pack("<4Q", *words))
    return read_value(decoder(of), addressof(memory))


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (STRING, (layout.STRING, MAX_STRING_BYTES + 1, 8)),
        (ListType(Primitive.U8), (layout.LIST, MAX_BYTES + 1, 8)),
        (ListType(STRING), (layout.LIST, MAX_LIST_ITEMS + 1, 8)),
    ],
)
def test_sizes_are_refused_before_the_address_is_followed(of: Type, words: tuple[int, ...]) -> None:
    with pytest.raises(GuestValueError):
        read(of, *words, 0)


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (STRING, (layout.LIST, 1, 8)),
        (ListType(STRING), (layout.STRING, 1, 8)),
        (ListType(Primitive.U8), (layout.RECORD, 1, 8)),
        (PAIR, (layout.RECORD, 3, 8)),
        (PAIR, (layout.TUPLE, 2, 8)),
        (TupleType((STRING,)), (layout.TUPLE, 2, 8)),
        (OptionType(STRING), (layout.RESULT, 8, 0)),
        (ResultType(STRING, None), (layout.RESULT, 1, 0)),
        (ResultType(STRING, None), (layout.OPTION, 1, 0)),
        (Primitive.BOOL, (layout.F64, 1, 0)),
        (Primitive.F64, (layout.BOOL, 1, 0)),
        (Primitive.U16, (layout.U8, 1, 0)),
        (EnumType(("a",)), (layout.STRING, 1, 8)),
        (VariantType((("a", None),)), (layout.ENUM, 1, 8)),
    ],
)
def test_memory_of_another_layout_is_refused_before_an_address_is_followed(
    of: Type, words: tuple[int, ...]
) -> None:
    with pytest.raises(LayoutError):
        read(of, *words, 0)


def test_another_number_of_arguments_is_refused() -> None:
    with pytest.raises(LayoutError):
        read_values((decoder(STRING),), 8, 2)


def test_an_unknown_case_is_refused() -> None:
    text = ctypes.create_string_buffer(b"other")
    enum, variant = EnumType(("oth",)), VariantType((("oth", None),))
    with pytest.raises(LayoutError):
        read(enum, layout.ENUM, 5, addressof(text), 0)
    with pytest.raises(LayoutError):
        read(variant, layout.VARIANT, 5, addressof(text), 0)


@pytest.mark.parametrize("of", [Primitive.CHAR, Primitive.S64, OpaqueType("own")])
def test_a_type_that_the_world_does_not_have_has_no_codec(of: Type) -> None:
    with pytest.raises(TypeError):
        encoder(of)
    with pytest.raises(TypeError):
        decoder(of)


def test_an_encoded_value_reads_back_after_the_arena_grew() -> None:
    of = ListType(PAIR)
    value: Value = [{"a": "ä" * n, "b": n} for n in range(200)]
    arena = Arena(words=1, text_bytes=1)
    assert read_value(decoder(of), arena.encode((encoder(of), value))) == value
    assert read_value(decoder(STRING), arena.encode((encoder(STRING), "small"))) == "small"


def test_another_version_of_wasmtime_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "SUPPORTED_VERSION", "50.0.2")
    with pytest.raises(InternalError, match=r"install wasmtime==50\.0\.2"):
        Engine(settings=EngineSettings())


def test_another_layout_of_wasmtime_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "VAL_BYTES", 40)
    with pytest.raises(InternalError, match="size of a value"):
        Engine(settings=EngineSettings())


def test_the_fingerprint_names_what_compiled_code_depends_on() -> None:
    with (
        Engine(settings=EngineSettings(max_instances=1)) as one,
        Engine(settings=EngineSettings(max_instances=2, pooling=False)) as other,
    ):
        assert library.SUPPORTED_VERSION in one.fingerprint
        assert platform.machine() in one.fingerprint
        assert one.fingerprint == other.fingerprint
