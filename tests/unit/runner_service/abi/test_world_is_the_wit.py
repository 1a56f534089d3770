from pathlib import Path

from runner_service.abi.world import HANDLER, HANDLER_NAME, IMPORTS
from tests.unit.runner_service.abi.wit_text import Package, WitReader

WIT = Path(__file__).resolve().parents[4] / "runner_service/abi/wit"
STORE = "wasi:config/store@0.2.0-rc.1"


def read(*names: str) -> Package:
    reader = WitReader()
    for name in names:
        reader.read(WIT / name)
    return reader.package


def test_the_table_has_every_function_of_the_wit_with_its_types() -> None:
    package = read("types.wit", "runner.wit")
    assert package.interfaces.pop("types") == {}
    written = {
        f"alga:extension/{name}": functions for name, functions in package.interfaces.items()
    }
    assert {name: dict(of) for name, of in IMPORTS.items() if name != STORE} == written
    assert sum(map(len, written.values())) == 25


def test_the_table_has_the_wit_of_wasi_config() -> None:
    package = read("deps/wasi-config-0.2.0-rc.1/store.wit")
    assert dict(IMPORTS[STORE]) == package.interfaces["store"]


def test_the_worlds_import_all_interfaces_and_export_the_handler() -> None:
    package = read("types.wit", "runner.wit")
    interfaces = [name for name in package.interfaces if name != "types"]
    assert package.exports == {HANDLER_NAME: HANDLER}
    assert sorted(package.imports["runner"]) == sorted(interfaces)
    assert package.includes["configured-runner"] == ["runner"]
    assert package.imports["configured-runner"] == [STORE]
