from dataclasses import replace

import pytest

from runner_service.abi.type_check import ComponentShape, InterfaceShape, Item, check_component
from runner_service.abi.types import (
    EnumType,
    FunctionType,
    OpaqueType,
    Primitive,
    RecordType,
    ResultType,
)
from runner_service.abi.world import EXECUTE_RESPONSE, HANDLER, IMPORTS, STORAGE_ENTRY
from shared.errors import ComponentInvalidError, Fault

STORAGE = "alga:extension/storage"
WHOLE: dict[str, Item] = {name: InterfaceShape(of, {}) for name, of in IMPORTS.items()}


def faults(imports: dict[str, Item], exports: dict[str, Item] | None = None) -> list[Fault]:
    with pytest.raises(ComponentInvalidError) as refused:
        check_component(
            ComponentShape(imports, {"handler": HANDLER} if exports is None else exports)
        )
    return list(refused.value.faults)


def test_the_whole_world_passes() -> None:
    check_component(ComponentShape(WHOLE, {"handler": HANDLER, "init": FunctionType()}))


def test_wasi_of_any_patch_level_passes_and_needs_a_wasi_state() -> None:
    shape = ComponentShape({"wasi:io/poll@0.2.10": InterfaceShape({}, {})}, {"handler": HANDLER})
    check_component(shape)
    assert shape.uses_wasi
    assert not ComponentShape(WHOLE, {}).uses_wasi


def test_types_without_functions_pass() -> None:
    check_component(
        ComponentShape(
            {"alga:extension/types": InterfaceShape({}, {}), "execute-request": STORAGE_ENTRY},
            {"handler": HANDLER},
        )
    )


@pytest.mark.parametrize(
    "name",
    [
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:http/types@0.2.10",
        "wasi:sockets/tcp@0.2.0",
        "wasi:io/poll@0.3.0",
        "wasi:io/poll@0.2.0-rc",
        "wasi:io/poll",
        "wasi:cli/run@0.2.0\n",
        "wasi:config/store@0.2.0",
        "alga:extension/billing",
        "alga:extension/storage@1.0.0",
        "evil:host/shell",
        "",
    ],
)
def test_an_import_that_is_not_on_the_list_is_refused(name: str) -> None:
    (fault,) = faults({name: InterfaceShape({}, {})})
    assert fault.code == "import_refused"
    assert fault.path == f"imports.{name}"


@pytest.mark.parametrize("item", [FunctionType(), OpaqueType("module"), OpaqueType("resource")])
def test_an_import_that_is_no_interface_is_refused(item: Item) -> None:
    assert [f.code for f in faults({"run": item})] == ["import_refused"]
    assert [f.code for f in faults({STORAGE: item})] == ["import_mistyped"]


def test_a_function_of_another_signature_is_refused_with_the_place() -> None:
    log_of_a_number = {"log-info": FunctionType((Primitive.U64,))}
    (fault,) = faults({"alga:extension/logging": InterfaceShape(log_of_a_number, {})})
    assert fault.path == "imports.alga:extension/logging.log-info"
    assert fault.message == "parameter 0 is u64 instead of string"


def test_the_smallest_difference_is_named() -> None:
    fields = tuple(
        (name, Primitive.U32 if name == "value" else of) for name, of in STORAGE_ENTRY.fields
    )
    put = replace(IMPORTS[STORAGE]["put"], parameters=(RecordType(fields),))
    (fault,) = faults({STORAGE: InterfaceShape({"put": put}, {})})
    assert fault.message == "parameter 0.value is u32 instead of list<u8>"


def test_fields_and_cases_in_another_order_are_refused() -> None:
    turned = RecordType(tuple(reversed(EXECUTE_RESPONSE.fields)))
    (fault,) = faults({}, {"handler": replace(HANDLER, result=turned)})
    assert fault.code == "handler_mistyped"
    levels = EnumType(("denied", "missing", "conflict", "internal"))
    delete = FunctionType((Primitive.STRING, Primitive.STRING), ResultType(None, levels))
    assert len(faults({STORAGE: InterfaceShape({"delete": delete}, {})})) == 1


def test_an_unknown_function_and_a_resource_in_our_interface_are_refused() -> None:
    shape = InterfaceShape({"drop-all": FunctionType()}, {"handle": "resource"})
    assert [f.code for f in faults({STORAGE: shape})] == ["import_unknown", "import_unknown"]


def test_a_missing_handler_and_one_that_is_no_function_are_refused() -> None:
    assert [f.code for f in faults({}, {})] == ["handler_missing"]
    assert [f.code for f in faults({}, {"handler": InterfaceShape({}, {})})] == ["handler_mistyped"]


def test_all_differences_are_reported_together() -> None:
    found = faults(
        {
            "wasi:http/types@0.2.0": InterfaceShape({}, {}),
            STORAGE: InterfaceShape({"nope": FunctionType()}, {}),
        },
        {},
    )
    assert [fault.code for fault in found] == [
        "import_refused",
        "import_unknown",
        "handler_missing",
    ]


def test_names_of_a_component_are_cut_in_what_is_told() -> None:
    long = "a" * 100_000
    shape = InterfaceShape({long: FunctionType(), "get": FunctionType((OpaqueType(long),))}, {})
    for fault in (*faults({STORAGE: shape}), *faults({long: FunctionType()})):
        assert len(fault.path) <= 300
        assert len(fault.message) <= 300
