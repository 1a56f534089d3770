"""Imports against declared capabilities."""

from runner_service.capabilities.capabilities import CAPABILITIES
from shared.bundles.capability_proof import undeclared_capabilities, unused_capabilities
from shared.bundles.component import KNOWN_INTERFACES, ComponentOutline
from shared.capabilities import CAPABILITY_OF_INTERFACE, DEFAULT_CAPABILITIES


def outline(*names: str) -> ComponentOutline:
    return ComponentOutline(imports=names, exports=("handler",))


def test_what_is_imported_must_be_declared() -> None:
    imports = outline("alga:extension/storage", "alga:extension/http", "wasi:io/poll@0.2.12")
    [fault] = undeclared_capabilities(imports, ["cap:storage.kv"])
    assert (fault.path, fault.code) == ("capabilities", "capability_undeclared")
    assert "alga:extension/http" in fault.message
    assert '"cap:http.fetch"' in fault.hint
    assert list(undeclared_capabilities(imports, ["cap:storage.kv", "cap:http.fetch"])) == []


def test_what_everyone_has_needs_no_declaration() -> None:
    everyones = outline(
        "alga:extension/context", "alga:extension/logging", "alga:extension/user",
        "alga:extension/user-v2", "alga:extension/types", "wasi:config/store@0.2.0-rc.1",
    )  # fmt: skip
    assert list(undeclared_capabilities(everyones, [])) == []


def test_what_is_declared_and_not_imported_is_told() -> None:
    declared = ["cap:storage.kv", "cap:http.fetch", "cap:log.emit"]
    told = unused_capabilities(outline("alga:extension/storage"), declared)
    assert [warning.split()[0] for warning in told] == ["cap:http.fetch"]


def test_the_table_says_what_the_runner_asks_for() -> None:
    asked = {each.interface: each.name for each in CAPABILITIES if each.name}
    assert asked == CAPABILITY_OF_INTERFACE
    needless = {"alga:extension/types", "wasi:config/store@0.2.0-rc.1"}
    assert set(CAPABILITY_OF_INTERFACE) == KNOWN_INTERFACES - needless
    assert set(CAPABILITY_OF_INTERFACE.values()) >= DEFAULT_CAPABILITIES
