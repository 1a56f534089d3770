"""Components: what is asked for is told, and what would never run is refused with the reason."""

from contextlib import suppress

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from shared.bundles.component import KNOWN_INTERFACES, ComponentOutline, check_component
from shared.errors import ComponentInvalidError

HANDLER = """
  (core module $m (func (export "h")))
  (core instance $i (instantiate $m))
  (func $h (canon lift (core func $i "h")))
  (export "handler" (func $h))
"""
PREAMBLE = b"\0asm\x0d\0\x01\0"


def component(*items: str, handler: str = HANDLER) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(component {' '.join(items)} {handler})"))


def instance(name: str) -> str:
    return f'(import "{name}" (instance))'


GOOD = component(
    '(import "alga:extension/logging" (instance (export "log-info" (func (param "m" string)))))',
    instance("wasi:cli/environment@0.2.12"),
)


def test_the_outline_names_imports_and_exports() -> None:
    assert check_component(GOOD) == ComponentOutline(
        imports=("alga:extension/logging", "wasi:cli/environment@0.2.12"), exports=("handler",)
    )


@pytest.mark.parametrize("name", sorted(KNOWN_INTERFACES))
def test_every_interface_of_the_world_may_be_imported(name: str) -> None:
    assert check_component(component(instance(name))).imports == (name,)


@pytest.mark.parametrize(
    "name",
    ["wasi:io/streams@0.2.0", "wasi:clocks/wall-clock@0.2.10", "wasi:random/insecure@0.2.3"],
)
def test_harmless_wasi_may_be_imported(name: str) -> None:
    assert check_component(component(instance(name))).imports == (name,)


def test_an_extra_export_is_allowed() -> None:
    extra = '(func $x (canon lift (core func $i "h"))) (export "init" (func $x))'
    assert check_component(component(handler=HANDLER + extra)).exports == ("handler", "init")


def test_an_import_that_equates_a_type_carries_no_power() -> None:
    made = component('(type $n u32) (import "request" (type (eq $n)))')
    assert check_component(made).imports == ()


def test_a_nested_components_names_are_not_taken_for_ours() -> None:
    nested = '(component (import "wasi:http/types@0.2.0" (instance)))'
    assert check_component(component(nested)).imports == ()


@pytest.mark.parametrize(
    "name",
    [
        "wasi:http/outgoing-handler@0.2.10",
        "wasi:http/types@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:sockets/network@0.3.0",
    ],
)
def test_the_network_is_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(ComponentInvalidError) as caught:
        check_component(component(instance(name)))
    (fault,) = caught.value.faults
    assert fault.code == "network_import"
    assert name in fault.message
    assert "cap:http.fetch" in fault.hint


@pytest.mark.parametrize(
    "name",
    [
        "alga:extension/loggin",
        "alga:extension/logging@1.0.0",
        "evil:extension/logging",
        "wasi:io/streams@0.3.0",
        "wasi:io/streams@0.2.0-rc.1",
        "wasi:config/store@0.2.0",
        "wasi:keyvalue/store@0.2.0",
        "wasi:cli/environment",
    ],
)
def test_an_unknown_interface_is_refused(name: str) -> None:
    with pytest.raises(ComponentInvalidError) as caught:
        check_component(component(instance(name)))
    assert [fault.code for fault in caught.value.faults] == ["unknown_import"]


def test_a_bare_function_import_is_refused() -> None:
    with pytest.raises(ComponentInvalidError, match="'steal'"):
        check_component(component('(import "steal" (func))'))


def test_a_resource_type_of_its_own_is_refused() -> None:
    with pytest.raises(ComponentInvalidError, match="resource type"):
        check_component(component('(import "r" (type (sub resource)))'))


def test_all_faults_are_told_together() -> None:
    with pytest.raises(ComponentInvalidError) as caught:
        check_component(component(instance("wasi:http/types@0.2.0"), instance("a:b/c"), handler=""))
    assert [fault.code for fault in caught.value.faults] == [
        "network_import",
        "unknown_import",
        "handler_missing",
    ]


def test_a_handler_that_is_only_a_type_is_no_handler() -> None:
    with pytest.raises(ComponentInvalidError, match="no function named handler"):
        check_component(component('(type $t u32) (export "handler" (type $t))', handler=""))


KINDS = {
    b"": "empty",
    bytes(wasmtime.wat2wasm("(module)")): "core WebAssembly module",
    b"(component)": "WebAssembly text",
    b"  \n(module)": "WebAssembly text",
    b";; a comment\n(module)": "WebAssembly text",
    b"\x7fELF" + bytes(60): "precompiled code",
    b"\0asm\x0e\0\x01\0": "a version that the platform does not read",
    b"export function handler() {}": "not WebAssembly",
}


@pytest.mark.parametrize("data", KINDS)
def test_what_is_no_component_is_told_apart(data: bytes) -> None:
    with pytest.raises(ComponentInvalidError, match=KINDS[data]) as caught:
        check_component(data)
    assert "componentize-js" in caught.value.message


DAMAGED = {
    "section-past-the-end": (b"\x0a\x05\x00", "a length points past the end"),
    "endless-number": (b"\x0a\xff\xff\xff\xff\xff\x01", "longer than 32 bits"),
    "number-of-33-bits": (b"\x0a\xff\xff\xff\xff\x1f", "longer than 32 bits"),
    "half-a-section": (b"\x0a", "ends too early"),
    "unknown-section": (b"\x2a\x00", "no section 42"),
    "too-many-names": (b"\x0a\x03\xff\xff\x7f", "more than 10000 names"),
    "name-past-the-end": (b"\x0a\x04\x01\x00\x09a", "a length points past the end"),
    "name-of-a-kind-we-do-not-read": (b"\x0a\x04\x01\x02\x01a", "an encoding"),
    "name-not-utf-8": (b"\x0a\x06\x01\x00\x01\xff\x05\x00", "not UTF-8"),
    "name-too-long": (b"\x0a\x05\x01\x00\x81\x04a", "longer than 512 bytes"),
    "unknown-kind": (b"\x0a\x06\x01\x00\x01a\x09\x00", "no kind 9"),
    "value-import": (b"\x0a\x06\x01\x00\x01a\x02\x00", "bare value"),
    "section-with-more": (b"\x0a\x07\x01\x00\x01a\x05\x00\x00", "longer than what is in it"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_component_is_refused_for_its_own_reason(name: str) -> None:
    body, reason = DAMAGED[name]
    with pytest.raises(ComponentInvalidError, match=reason):
        check_component(PREAMBLE + body)


@given(cut=st.integers(8, len(GOOD) - 1), noise=st.binary(max_size=20))
def test_noise_raises_nothing_else(cut: int, noise: bytes) -> None:
    with suppress(ComponentInvalidError):
        check_component(GOOD[:cut] + noise)
