from dataclasses import replace
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from runner_service.abi.types import FunctionType, ListType, Primitive, RecordType
from runner_service.abi.world import EXECUTE_RESPONSE, HANDLER, IMPORTS
from runner_service.engine import CompiledComponent, Engine
from shared.errors import ComponentInvalidError, Fault, GuestTrappedError, InternalError
from tests.fixtures.guests.answers import Answers, limits, request
from tests.fixtures.guests.assembly import LIBC, assemble, instance_import, lifted_export

IDLE = '(module (func (export "handler") (param i32) (result i32) unreachable))'
LOGGER = """(module
  (import "alga:extension/logging" "log-info" (func (param i64)))
  (func (export "handler") (param i32) (result i32) unreachable))"""


def refused(engine: Engine, component: bytes) -> tuple[Fault, ...]:
    with pytest.raises(ComponentInvalidError) as error:
        engine.compile(component)
    return error.value.faults


def with_import(text: str) -> bytes:
    handler = lifted_export("handler", HANDLER, core='(core func $main "handler")')
    module = IDLE.replace("(module", "(core module $m", 1)
    main = f"{module} (core instance $main (instantiate $m))"
    return bytes(wat2wasm(f"(component {text} {LIBC} {main} {handler})"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "magic"),
        (b"\0asm\x0d\0\x01", "magic"),
        (b"\0asm\x01\0\0\0", "core module"),
        (b"(component)", "text"),
        (b"  \n(module)", "text"),
        (b"\x7fELF\x02\x01\x01\0", "magic"),
        (b"\0asm\x0d\0\x01\0\xff\xff\xff\xff", "does not compile"),
    ],
)
def test_what_is_no_component_is_refused(engine: Engine, data: bytes, words: str) -> None:
    with pytest.raises(ComponentInvalidError, match=words):
        engine.compile(data)


def test_a_truncated_component_is_refused(engine: Engine) -> None:
    whole = assemble(IDLE)
    for size in range(9, len(whole) // 2, 37):  # the last part only has names
        with pytest.raises(ComponentInvalidError):
            engine.compile(whole[:size])


def test_an_import_of_our_function_with_a_number_for_a_string_is_refused(engine: Engine) -> None:
    evil = {"alga:extension/logging": {"log-info": FunctionType((Primitive.U64,))}}
    (fault,) = refused(engine, assemble(LOGGER, imports=evil))
    assert fault.path == "imports.alga:extension/logging.log-info"
    assert fault.message == "parameter 0 is u64 instead of string"


def test_a_component_without_handler_is_refused(engine: Engine) -> None:
    (fault,) = refused(engine, assemble(IDLE, handler_name="main"))
    assert fault.code == "handler_missing"


@pytest.mark.parametrize(
    "handler",
    [
        replace(HANDLER, result=RecordType(tuple(reversed(EXECUTE_RESPONSE.fields)))),
        replace(HANDLER, result=RecordType((*EXECUTE_RESPONSE.fields, ("more", Primitive.U8)))),
        replace(HANDLER, parameters=(ListType(HANDLER.parameters[0]),)),
    ],
)
def test_a_handler_of_another_type_is_refused(engine: Engine, handler: FunctionType) -> None:
    module = IDLE
    if isinstance(handler.parameters[0], ListType):
        module = module.replace("(param i32)", "(param i32 i32)")
    (fault,) = refused(engine, assemble(module, handler=handler))
    assert fault.code == "handler_mistyped"


@pytest.mark.parametrize(
    "text",
    [
        '(import "wasi:http/types@0.2.0" (instance))',
        '(import "wasi:sockets/tcp@0.2.0" (instance))',
        '(import "evil:host/shell" (instance (export "run" (func))))',
        '(import "run" (func))',
        '(import "code" (core module))',
        '(import "handle" (type (sub resource)))',
    ],
)
def test_an_import_that_is_not_offered_is_refused(engine: Engine, text: str) -> None:
    (fault,) = refused(engine, with_import(text))
    assert fault.code == "import_refused"


def test_an_import_of_a_component_is_refused(engine: Engine) -> None:
    with pytest.raises(ComponentInvalidError):
        engine.compile(with_import('(import "part" (component))'))


def test_a_resource_in_our_interface_is_refused(engine: Engine) -> None:
    text = '(import "alga:extension/storage" (instance (export "h" (type (sub resource)))))'
    (fault,) = refused(engine, with_import(text))
    assert fault.code == "import_unknown"


def test_a_type_that_unfolds_without_end_is_refused_soon(engine: Engine) -> None:
    layers = " ".join(f"(type $l{n + 1} (tuple $l{n} $l{n}))" for n in range(15))
    text = (
        '(import "alga:extension/logging" (instance (type $l0 (tuple u8)) '
        f'{layers} (export "log-info" (func (param "p" $l15)))))'
    )
    with pytest.raises(ComponentInvalidError, match="more than 20000 parts"):
        engine.compile(with_import(text))


def test_a_component_that_imports_the_whole_world_runs(engine: Engine) -> None:
    whole = " ".join(instance_import(name, functions) for name, functions in IMPORTS.items())
    compiled = engine.compile(with_import(whole))
    assert not compiled.uses_wasi
    run = engine.run(compiled, request("/"), Answers(), limits())
    assert isinstance(run.failure, GuestTrappedError)


def test_components_that_call_each_other_compile(engine: Engine) -> None:
    # wasmtime aborts the process here when it is set up without multi_memory.
    inner = """(component $inner
      (core module $m (memory (export "memory") 1)
        (func (export "f") (param i32 i32) (result i32) i32.const 0)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 16))
      (core instance $i (instantiate $m))
      (func (export "f") (param "s" string) (result string) (canon lift (core func $i "f")
        (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
    (component $outer (import "f" (func $f (param "s" string) (result string)))
      (core module $m (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 16))
      (core instance $i (instantiate $m))
      (core func (canon lower (func $f)
        (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
    (instance $a (instantiate $inner))
    (instance $b (instantiate $outer (with "f" (func $a "f"))))"""
    engine.compile(with_import(inner))


@pytest.mark.parametrize(
    "module",
    [
        "(module (memory 1 1 shared))",
        "(module (memory i64 1))",
        "(module (tag (param i32)))",
        "(module (type (struct (field i32))))",
        "(module (func (result i32) return_call 0))",
        "(module (func (param v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0)))))",
        "(module (memory 1 (pagesize 1)))",
    ],
)
def test_code_of_a_proposal_that_is_not_allowed_is_refused(engine: Engine, module: str) -> None:
    core = module.replace("(module", "(core module $extra", 1)
    with pytest.raises(ComponentInvalidError, match="does not compile"):
        engine.compile(with_import(core))


def test_compiled_code_is_saved_and_loaded(
    engine: Engine, scenarios: CompiledComponent, tmp_path: Path
) -> None:
    path = tmp_path / "guest.cwasm"
    path.write_bytes(scenarios.code())
    run = engine.run(engine.load(path), request("/s=202"), Answers(), limits())
    assert run.response is not None
    assert run.response.status == 202


@pytest.mark.parametrize("data", [b"", b"junk", b"\x7fELF" + bytes(60)])
def test_what_is_no_compiled_code_is_not_loaded(
    engine: Engine, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "guest.cwasm"
    path.write_bytes(data)
    with pytest.raises(InternalError, match="cannot be loaded"):
        engine.load(path)
    with pytest.raises(InternalError, match="cannot be loaded"):
        engine.load(tmp_path / "absent")


def test_compiled_code_of_a_component_outside_the_world_is_refused_at_load(
    engine: Engine, tmp_path: Path
) -> None:
    from wasmtime.component import Component

    path = tmp_path / "guest.cwasm"
    evil = assemble(IDLE, handler_name="main")
    path.write_bytes(Component(engine._engine, evil).serialize())
    with pytest.raises(ComponentInvalidError):
        engine.load(path)
