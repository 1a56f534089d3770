"""Every type of the world goes through wasmtime in both directions, with any values."""

import ctypes
from collections.abc import Callable
from ctypes import addressof
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wasmtime import Engine as WasmtimeEngine
from wasmtime.component import Component

from runner_service.abi.types import (
    EnumType,
    FunctionType,
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
from runner_service.abi.world import HANDLER, IMPORTS
from runner_service.engine import library
from runner_service.engine.arena import Arena
from runner_service.engine.decode import decoder, read_value
from runner_service.engine.encode import encoder
from runner_service.engine.invocation import Invocation, Invocations
from runner_service.engine.linker import HostLinker
from tests.fixtures.guests.answers import Answers, limits
from tests.fixtures.guests.assembly import assemble

FUNCTIONS = [HANDLER, *(of for functions in IMPORTS.values() for of in functions.values())]
TYPES = list(
    dict.fromkeys(
        part for of in FUNCTIONS for part in (*of.parameters, of.result) if part is not None
    )
)
# So many fields that the canonical ABI passes the record by address, whatever else is in it.
PADDING = TupleType((Primitive.U8,) * 17)
ECHO = """(module (import "libc" "memory" (memory 2))
  (import "test:echo/values" "echo" (func $echo (param i32 i32)))
  (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (func (export "handler") (param $at i32) (result i32) (local $result i32)
    (local.set $result
      (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 1024)))
    (call $echo (local.get $at) (local.get $result))
    (local.get $result)))"""


def values(  # noqa: C901, PLR0911 - one arm for each type
    of: Type,
) -> st.SearchStrategy[Value]:
    text = st.text(st.characters(codec="utf-8"), max_size=40)
    match of:
        case Primitive.BOOL:
            return st.booleans()
        case Primitive.STRING:
            return text
        case Primitive.F64:
            return st.floats(allow_nan=False)
        case Primitive():
            return st.integers(0, (1 << int(of.value[1:])) - 1)
        case ListType(Primitive.U8):
            return st.binary(max_size=300)
        case ListType(element):
            return st.lists(values(element), max_size=4)
        case RecordType(fields):
            return st.fixed_dictionaries({name: values(part) for name, part in fields})
        case TupleType(elements):
            return st.tuples(*map(values, elements))
        case OptionType(some):
            return st.none() | values(some)
        case EnumType(cases):
            return st.sampled_from(cases)
        case ResultType(ok, err):
            return payloads(ok, Ok) | payloads(err, Err)
        case VariantType(cases):
            return st.one_of(*(payloads(part, partial(Case, name)) for name, part in cases))
    raise TypeError(of)


def payloads(of: Type | None, arm: Callable[[Value], Value]) -> st.SearchStrategy[Value]:
    return (st.none() if of is None else values(of)).map(arm)


class Echo:
    """Sends a value into a guest, from there to the host, and back the same way."""

    def __init__(self, of: Type) -> None:
        whole = RecordType((("padding", PADDING), ("value", of)))
        function = FunctionType((whole,), whole)
        imports = {"test:echo/values": {"echo": function}}
        self.engine = WasmtimeEngine()
        self.invocations = Invocations()
        self.linker = HostLinker(engine=self.engine, invocations=self.invocations, imports=imports)
        self.component = Component(self.engine, assemble(ECHO, imports=imports, handler=function))
        self.export = self.component.get_export_index("handler")
        self.encode, self.decode = encoder(whole), decoder(whole)

    def __call__(self, value: Value) -> Value:
        assert self.export is not None
        host = Answers({"values.echo": lambda whole: whole})
        number = self.invocations.add(Invocation(host=host, limits=limits()))
        room = ctypes.create_string_buffer(256)
        instance, func, result = (addressof(room) + at for at in (0, 64, 128))
        arena = Arena(words=8, text_bytes=4)  # grows at once
        arguments = arena.encode((self.encode, {"padding": tuple(range(17)), "value": value}))
        store = library.store_new(library.address_of(self.engine.ptr()), number, None)
        try:
            context = library.store_context(store)
            for error in (
                library.linker_instantiate(
                    self.linker.address, context, library.address_of(self.component.ptr()), instance
                ),
                not library.instance_get_func(
                    instance, context, library.address_of(self.export.ptr()), func
                ),
                library.func_call(func, context, arguments, 1, result, 1),
            ):
                assert not error
            try:
                whole = read_value(self.decode, result)
            finally:
                library.val_delete(result)
        finally:
            library.store_delete(store)
            self.invocations.remove(number)
        assert isinstance(whole, dict)
        assert whole["padding"] == tuple(range(17))
        return whole["value"]


@pytest.mark.parametrize("of", TYPES, ids=lambda of: str(of)[:60])
def test_any_value_of_the_world_comes_back_as_it_went(of: Type) -> None:
    echo = Echo(of)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values(of))
    def check(value: Value) -> None:
        assert echo(value) == value

    check()


@pytest.mark.parametrize("number", [float("inf"), -0.0, 5e-324, 1.7976931348623157e308])
def test_unusual_numbers_keep_their_bits(number: float) -> None:
    back = Echo(Primitive.F64)(number)
    assert isinstance(back, float)
    assert back.hex() == number.hex()
