"""Manifests: one meaning, all faults in one answer, each with its path."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bundles.manifest import (
    MAX_MANIFEST_BYTES,
    Manifest,
    check_manifest_against_files,
    parse_manifest,
)
from shared.errors import Fault, ManifestInvalidError


def document(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": "agreements",
        "publisher": "acme",
        "version": "1.2.3",
        "runtime": "wasm-js@1",
        "capabilities": ["cap:storage.kv", " HTTP.fetch "],
        "ui": {
            "type": "iframe",
            "entry": "ui/index.html",
            "hooks": {"appMenu": {"label": " Agreements "}},
        },
        "api": {
            "endpoints": [
                {"method": "get", "path": "/agreements", "handler": "list"},
                {"method": "GET", "path": "/agreements/:id", "handler": "dist/handlers/get"},
            ]
        },
    }
    made.update(changes)
    return {key: value for key, value in made.items() if value is not ...}


def parsed(**changes: Any) -> Manifest:
    return parse_manifest(json.dumps(document(**changes)).encode())[0]


def faults(data: bytes | dict[str, Any]) -> dict[str, str]:
    """Code by path of everything that was wrong."""
    with pytest.raises(ManifestInvalidError) as caught:
        parse_manifest(data if isinstance(data, bytes) else json.dumps(data).encode())
    assert caught.value.faults
    return {fault.path: fault.code for fault in caught.value.faults}


def endpoints(*routes: tuple[str, str]) -> dict[str, Any]:
    return {
        "endpoints": [{"method": method, "path": path, "handler": "h"} for method, path in routes]
    }


def test_a_good_manifest_comes_out_canonical() -> None:
    manifest, warnings = parse_manifest(json.dumps(document()).encode())
    assert warnings == []
    assert manifest.capabilities == ("cap:storage.kv", "cap:http.fetch")
    assert manifest.api.endpoints[0].method == "GET"
    assert manifest.ui is not None
    assert manifest.ui.hooks.app_menu is not None
    assert manifest.ui.hooks.app_menu.label == "Agreements"


def test_the_smallest_manifest_is_enough() -> None:
    manifest = parsed(capabilities=..., ui=..., api=...)
    assert (manifest.capabilities, manifest.ui, manifest.api.endpoints) == ((), None, ())


def test_every_fault_is_told_with_its_path() -> None:
    wrong = document(
        name=...,
        version="1.2",
        runtime="wasm",
        colour="red",
        capabilities=["http.fetc", 7],
        ui={"type": "window", "entry": "../x", "hooks": {"appMenu": {"label": " "}}},
        api=endpoints(("GET", "/a/:x"), ("GO", "a"), ("get", "/a/:y"), ("GET", "/a/:x")),
    )
    assert faults(wrong) == {
        "name": "missing",
        "version": "version",
        "runtime": "runtime",
        "colour": "extra_forbidden",
        "capabilities[0]": "capability",
        "capabilities[1]": "string_type",
        "ui.type": "literal_error",
        "ui.entry": "bundle_path",
        "ui.hooks.appMenu.label": "label",
        "api.endpoints[1].method": "method",
        "api.endpoints[1].path": "path",
        "api.endpoints[2]": "endpoint_collision",
        "api.endpoints[3]": "endpoint_duplicate",
    }


def test_a_wildcard_version_is_refused_with_the_reason() -> None:
    with pytest.raises(ManifestInvalidError, match=r"not supported yet"):
        parsed(version="1.2.*")


@pytest.mark.parametrize(
    "version",
    ["1", "01.2.3", "1.2.3-", "v1.2.3", "1.2.3 ", "1.2.3-01", "\u0661.\u0662.\u0663", "1.2.3" * 20],
)
def test_only_semantic_versions_are_versions(version: str) -> None:
    assert faults(document(version=version)) == {"version": "version"}


@pytest.mark.parametrize("version", ["0.0.1", "1.2.3-rc.1", "1.2.3+build.5"])
def test_semantic_versions_are_versions(version: str) -> None:
    assert parsed(version=version).version == version


@pytest.mark.parametrize(
    "path",
    [
        "",
        "agreements",
        "//",
        "/a//b",
        "/a/",
        "/a/../b",
        "/a..b",
        "/./a",
        "/a b",
        "/a\tb",
        "/a\nb",
        "/a%2e",
        "/a?b",
        "/a#b",
        "/a\\b",
        "/*",
        "/{id}",
        "/:",
        "/:1",
        "/:a-b",
        "/:id/:id",
        "/é",
        "/" + "/".join("a" * 33),
        "/" + "a" * 1024,
    ],
)
def test_a_path_outside_the_grammar_is_refused(path: str) -> None:
    assert faults(document(api=endpoints(("GET", path)))) == {"api.endpoints[0].path": "path"}


@pytest.mark.parametrize("path", ["/", "/a", "/a/:id/b.json", "/:a/:b", "/~a/@b,c;d=e"])
def test_a_path_inside_the_grammar_is_taken(path: str) -> None:
    assert parsed(api=endpoints(("GET", path))).api.endpoints[0].path == path


def test_a_literal_beside_a_parameter_and_another_method_do_not_collide() -> None:
    routes = ("GET", "/a/:x"), ("GET", "/a/b"), ("PUT", "/a/:y")
    assert len(parsed(api=endpoints(*routes)).api.endpoints) == 3


def test_a_capability_asked_for_twice_is_there_once() -> None:
    assert parsed(capabilities=["http.fetch", "cap:http.fetch"]).capabilities == ("cap:http.fetch",)


def test_what_has_no_effect_is_warned_about() -> None:
    _, warnings = parse_manifest(
        json.dumps(
            document(
                precompiled={"x86_64-linux": "artifacts/x.cwasm"},
                sbom="sbom.json",
                events=[{"topic": "a"}],
                assets=["ui/**/*"],
                entry="dist/main.wasm",
                api=endpoints(("OPTIONS", "/a")),
            )
        ).encode()
    )
    assert [warning.split()[0] for warning in warnings] == [
        "precompiled",
        "events",
        "sbom",
        "assets",
        "api.endpoints[0]",
    ]


def test_an_entry_that_would_not_run_is_refused() -> None:
    assert faults(document(entry="dist/other.wasm")) == {"entry": "entry"}


def test_a_page_that_would_not_be_served_is_refused() -> None:
    ui = {"type": "iframe", "entry": "public/index.html"}
    assert faults(document(ui=ui)) == {"ui.entry": "ui_entry"}


BROKEN_JSON = {
    "empty": (b"", "json_syntax"),
    "not-json": (b"name: agreements", "json_syntax"),
    "comment": (b'{"name": 1 /* x */}', "json_syntax"),
    "trailing": (b"{} {}", "json_syntax"),
    "not-utf-8": (b'{"name": "\xff"}', "json_not_utf8"),
    "utf-16": ('{"name": 1}'.encode("utf-16"), "json_not_utf8"),
    "byte-order-mark": (b"\xef\xbb\xbf{}", "json_syntax"),
    "array": (b"[]", "not_an_object"),
    "too-large": (b'"' + b"a" * MAX_MANIFEST_BYTES + b'"', "json_too_large"),
    "too-deep": (b'{"a":' * 33 + b"1" + b"}" * 33, "json_too_deep"),
    "far-too-deep": (b"[" * 100_000, "json_too_deep"),
    "duplicate-key": (b'{"name": "a", "name": "b"}', "json_duplicate_key"),
    "nested-duplicate-key": (b'{"ui": {"a": 1, "\\u0061": 2}}', "json_duplicate_key"),
    "nan": (b'{"a": NaN}', "json_number"),
    "infinity": (b'{"a": -Infinity}', "json_number"),
    "1e400": (b'{"a": 1e400}', "json_number"),
    "long-integer": (b'{"a": ' + b"9" * 5000 + b"}", "json_number"),
    "integer-beyond-doubles": (b'{"a": 9007199254740993}', "json_number"),
    "half-a-surrogate-pair": (b'{"a": "\\ud800"}', "json_surrogate"),
    "half-a-surrogate-pair-in-a-key": (b'{"\\udfff": 1}', "json_surrogate"),
}


@pytest.mark.parametrize("name", BROKEN_JSON)
def test_broken_json_is_refused_for_its_own_reason(name: str) -> None:
    data, code = BROKEN_JSON[name]
    assert faults(data) == {"$": code}


def test_brackets_in_strings_do_not_count_as_depth() -> None:
    assert parsed(description="[{" * 100).description == "[{" * 100


@given(
    changed=st.dictionaries(
        st.sampled_from([*document(), "events", "precompiled", "assets", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["endpoints", "method", "path", "type", "entry", "hooks", "y"]),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=8,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_json_is_parsed_or_refused_with_faults(changed: dict[str, Any]) -> None:
    told: tuple[Fault, ...] | None = None
    try:
        parse_manifest(json.dumps(document(**changed)).encode())
    except ManifestInvalidError as error:
        told = error.faults
    assert told is None or told
    assert all(fault.path and fault.code and fault.message for fault in told or ())


def test_the_page_and_the_program_must_be_in_the_bundle() -> None:
    manifest = parsed()
    check_manifest_against_files(manifest, {"dist/main.wasm", "ui/index.html"})
    with pytest.raises(ManifestInvalidError) as caught:
        check_manifest_against_files(manifest, {"manifest.json"})
    assert {fault.path for fault in caught.value.faults} == {"$", "ui.entry"}
