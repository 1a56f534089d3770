from wasmtime import Engine, component, wat2wasm

from runner_service.abi.type_check import ComponentShape, InterfaceShape
from runner_service.abi.types import FunctionType, OpaqueType, Primitive
from runner_service.abi.world import HANDLER, IMPORTS
from runner_service.engine.reflect import reflect
from tests.fixtures.guests.assembly import LIBC, instance_import, lifted_export


def shape_of(text: str) -> ComponentShape:
    with Engine() as engine:
        return reflect(engine, component.Component(engine, bytes(wat2wasm(text))))


def test_the_whole_world_reads_back_as_it_was_written() -> None:
    imports = " ".join(instance_import(name, of) for name, of in IMPORTS.items())
    handler = lifted_export("handler", HANDLER, core='(core func $main "handler")')
    main = """(core module $m (func (export "handler") (param i32) (result i32) unreachable))
              (core instance $main (instantiate $m))"""
    shape = shape_of(f"(component {imports} {LIBC} {main} {handler})")
    assert {
        name: dict(item.functions)
        for name, item in shape.imports.items()
        if isinstance(item, InterfaceShape)
    } == {name: dict(of) for name, of in IMPORTS.items()}
    assert shape.exports["handler"] == HANDLER


def test_types_that_the_world_does_not_have_read_as_opaque() -> None:
    shape = shape_of("""(component (import "alga:extension/storage" (instance
      (export "h" (type $h (sub resource)))
      (type $f (flags "a" "b")) (export "f" (type $flags (eq $f)))
      (export "take" (func (param "h" (own $h)) (param "f" $flags) (param "c" char))))))""")
    item = shape.imports["alga:extension/storage"]
    assert isinstance(item, InterfaceShape)
    assert item.others == {"h": "resource"}
    assert item.functions["take"] == FunctionType(
        (OpaqueType("own"), OpaqueType("flags"), Primitive.CHAR)
    )
