"""Manifests: one meaning, all faults in one answer, each with its path."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bundles.manifest import (
    MAX_MANIFEST_BYTES,
    Manifest,
    check_manifest_against_files,
    manifest_schema,
    parse_manifest,
)
from shared.bundles.manifest_model import EgressSuggestion, EndpointLimits, EventHandler
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


def warnings_of(**changes: Any) -> list[str]:
    return parse_manifest(json.dumps(document(**changes)).encode())[1]


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
        capabilites=["cap:http.fetch"],
        capabilities=["http.fetc", 7],
        ui={"type": "window", "entry": "../x", "hooks": {"appMenu": {"label": " "}}},
        api=endpoints(("GET", "/a/:x"), ("GO", "a b"), ("get", "/a/:y"), ("GET", "/a/:x")),
    )
    assert faults(wrong) == {
        "name": "missing",
        "version": "version",
        "runtime": "runtime",
        "capabilites": "extra_forbidden",
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


@pytest.mark.parametrize("version", ["0.0.*", "1.2.*", "10.20.*"])
def test_a_version_may_leave_its_patch_to_the_registry(version: str) -> None:
    assert parsed(version=version).version == version


@pytest.mark.parametrize(
    "version",
    [
        "1",
        "1.*",
        "1.2.*-rc.1",
        "01.2.*",
        "*",
        "1.*.3",
        "01.2.3",
        "1.2.3-",
        "v1.2.3",
        "1.2.3 ",
        "1.2.3-01",
        "\u0661.\u0662.\u0663",
        "1.2.3" * 20,
    ],
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
        "../a",
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


@pytest.mark.parametrize(
    ("written", "read"),
    [("a", "/a"), ("./a/:id", "/a/:id"), ("//", "/"), ("/a//b", "/a/b"), ("/a/", "/a")],
)
def test_a_path_that_can_mean_one_thing_only_is_put_right_with_a_warning(
    written: str, read: str
) -> None:
    changes = {"api": endpoints(("GET", written))}
    assert parsed(**changes).api.endpoints[0].path == read
    assert warnings_of(**changes) == [f"api.endpoints[0].path is read as {read}; write it so."]


def test_paths_that_become_the_same_collide() -> None:
    assert faults(document(api=endpoints(("GET", "a"), ("GET", "/a/")))) == {
        "api.endpoints[1]": "endpoint_duplicate"
    }


@pytest.mark.parametrize("path", ["/", "/a", "/a/:id/b.json", "/:a/:b", "/~a/@b,c;d=e"])
def test_a_path_inside_the_grammar_is_taken(path: str) -> None:
    assert parsed(api=endpoints(("GET", path))).api.endpoints[0].path == path


def test_a_literal_beside_a_parameter_and_another_method_do_not_collide() -> None:
    routes = ("GET", "/a/:x"), ("GET", "/a/b"), ("PUT", "/a/:y")
    assert len(parsed(api=endpoints(*routes)).api.endpoints) == 3


def test_a_capability_asked_for_twice_is_there_once() -> None:
    assert parsed(capabilities=["http.fetch", "cap:http.fetch"]).capabilities == ("cap:http.fetch",)


def test_what_has_no_effect_is_warned_about() -> None:
    told = warnings_of(
        precompiled={"x86_64-linux": "artifacts/x.cwasm"},
        sbom="sbom.json",
        events=[{"topic": "ticket.created", "handler": "heard"}],
        assets=["ui/**/*"],
        entry="dist/main.wasm",
        api=endpoints(("OPTIONS", "/a")),
    )
    assert [warning.split()[0] for warning in told] == [
        "precompiled",
        "events",
        "assets",
        "api.endpoints[0]",
    ]


def test_a_field_that_nobody_knows_is_left_out_with_a_warning() -> None:
    ui = {"type": "iframe", "entry": "ui/index.html", "width": 3, "hooks": {"toolbar": {"x": 1}}}
    api = endpoints(("GET", "/a"))
    api["endpoints"][0]["summary"] = "All of them"
    changes = {"colour": "red", "ui": ui, "api": api}
    assert [warning.split()[0] for warning in warnings_of(**changes)] == [
        "ui.hooks.toolbar",
        "ui.width",
        "api.endpoints[0].summary",
        "colour",
    ]
    assert parsed(**changes).ui == parsed(ui={"type": "iframe", "entry": "ui/index.html"}).ui


@pytest.mark.parametrize("slip", ["capabilites", "Capabilities", "end_points", "displayname"])
def test_a_slip_of_the_pen_is_a_fault_and_names_the_field(slip: str) -> None:
    with pytest.raises(ManifestInvalidError) as caught:
        parsed(**{slip: []})
    [fault] = caught.value.faults
    assert (fault.path, fault.code) == (slip, "extra_forbidden")
    assert "Did you mean" in fault.hint


def test_a_document_of_strange_fields_is_refused_soon() -> None:
    strange = {f"strange{number}": number for number in range(5000)}
    assert set(faults(document(**strange)).values()) == {"extra_forbidden"}


def test_a_runtime_without_its_number_is_the_first() -> None:
    assert parsed(runtime="wasm-js").runtime == "wasm-js@1"
    assert warnings_of(runtime="wasm-js") == ["runtime is read as wasm-js@1; write it so."]


def test_limits_and_callers_of_an_endpoint_are_understood() -> None:
    api = endpoints(("GET", "/a"), ("GET", "/b"))
    api["endpoints"][0] |= {"limits": {"timeout_ms": 500, "max_body_bytes": 0}, "auth": "service"}
    first, second = parsed(api=api).api.endpoints
    assert (first.limits, first.auth) == (
        EndpointLimits(timeout_ms=500, max_body_bytes=0),
        "service",
    )
    assert (second.limits, second.auth) == (None, "any")
    assert [warning.split()[0] for warning in warnings_of(api=api)] == [
        "api.endpoints[0].limits",
        "api.endpoints[0].auth",
    ]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"limits": {"timeout_ms": 0}}, "limits.timeout_ms"),
        ({"limits": {"memory_mb": 4096}}, "limits.memory_mb"),
        ({"limits": {"max_body_bytes": "1"}}, "limits.max_body_bytes"),
        ({"limits": {"timeout_ms": True}}, "limits.timeout_ms"),
        ({"limits": {"timeout": 10}}, "limits.timeout"),
        ({"auth": "nobody"}, "auth"),
    ],
)
def test_limits_that_cannot_be_are_refused(wrong: dict[str, Any], where: str) -> None:
    api = endpoints(("GET", "/a"))
    api["endpoints"][0] |= wrong
    assert list(faults(document(api=api))) == [f"api.endpoints[0].{where}"]


def test_events_egress_and_config_schema_are_understood() -> None:
    manifest = parsed(
        events=[{"topic": "ticket.created", "handler": "heard"}],
        egress=[{"host": "api.example.com", "methods": ["get"]}],
        config_schema={"type": "object", "properties": {"greeting": {"type": "string"}}},
    )
    assert manifest.events == (EventHandler(topic="ticket.created", handler="heard"),)
    assert manifest.egress == (EgressSuggestion(host="api.example.com", methods=("GET",)),)
    assert manifest.config_schema is not None


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"events": [{"topic": "a b", "handler": "h"}]}, {"events[0].topic": "topic"}),
        ({"events": [{"topic": "a"}]}, {"events[0].handler": "missing"}),
        ({"events": ["ticket.created"]}, {"events[0]": "model_type"}),
        ({"egress": [{"host": "10.0.0.1"}]}, {"egress[0].host": "host_is_address"}),
        ({"egress": [{"host": "x.internal"}]}, {"egress[0].host": "host_denied"}),
        (
            {"egress": [{"host": "a.example.com", "port": 70000}]},
            {"egress[0].port": "less_than_equal"},
        ),
        ({"config_schema": {"type": "string"}}, {"config_schema": "config_schema_root"}),
        ({"config_schema": []}, {"config_schema": "config_schema_root"}),
        ({"sbom": "../sbom.json"}, {"sbom": "bundle_path"}),
    ],
    ids=str,
)
def test_what_is_new_is_checked_too(wrong: dict[str, Any], expected: dict[str, str]) -> None:
    assert expected.items() <= faults(document(**wrong)).items()


OF_THE_LIVE_VALIDATOR = {
    "name": "agreements",
    "publisher": "acme",
    "version": "1.2.*",
    "runtime": "wasm-js@1",
    "capabilities": ["http.fetch", "storage.kv"],
    "ui": {
        "type": "iframe",
        "entry": "ui/index.html",
        "hooks": {"appMenu": {"label": "Agreements"}, "clientPortalMenu": {"label": "Mine"}},
    },
    "api": {
        "endpoints": [{"method": "get", "path": "agreements", "handler": "dist/handlers/list"}]
    },
    "assets": ["ui/**/*"],
    "precompiled": {"x86_64-linux-gnu": "artifacts/cwasm/x86_64-linux-gnu/main.cwasm"},
}
"""What the one validator of the original system takes."""
OF_THE_DOCUMENTS = {
    "name": "com.example.agreements",
    "publisher": "acme",
    "version": "1.2.3",
    "runtime": "wasm-js@1",
    "capabilities": ["http.fetch", "storage.kv", "secrets.get"],
    "ui": {"type": "iframe", "entry": "ui/index.html", "routes": [{"path": "/agreements"}]},
    "api": {"endpoints": [{"method": "GET", "path": "/agreements", "handler": "handlers/list"}]},
    "events": [{"topic": "billing.statement_ready", "handler": "handlers/ready"}],
    "entry": "dist/main.wasm",
    "precompiled": {"x86_64-linux-gnu": "artifacts/main.cwasm"},
    "assets": ["ui/**/*"],
    "sbom": "sbom.spdx.json",
}
"""What its documents describe: the other validator takes it, the first one refuses it."""


@pytest.mark.parametrize("example", [OF_THE_LIVE_VALIDATOR, OF_THE_DOCUMENTS], ids=["live", "docs"])
def test_what_either_original_validator_takes_is_taken(example: dict[str, Any]) -> None:
    manifest, told = parse_manifest(json.dumps(example).encode())
    assert {"cap:http.fetch", "cap:storage.kv"} <= set(manifest.capabilities)
    assert manifest.api.endpoints[0].path == "/agreements"
    assert told


def test_the_schema_knows_every_field_and_its_grammar() -> None:
    schema: Any = manifest_schema()
    assert set(schema["properties"]) == set(Manifest.model_fields)
    assert set(schema["required"]) == {"name", "publisher", "version", "runtime"}
    assert set(schema["$defs"]["Hooks"]["properties"]) == {"appMenu", "clientPortalMenu"}
    examples: tuple[dict[str, Any], ...] = (OF_THE_LIVE_VALIDATOR, OF_THE_DOCUMENTS, document())
    for example in examples:
        for field in ("name", "publisher", "version", "runtime"):
            assert re.search(schema["properties"][field]["pattern"], example[field])
    for wrong in ("1.2", "01.2.3", "1.2.*-rc.1"):
        assert not re.search(schema["properties"]["version"]["pattern"], wrong)
    assert json.loads(json.dumps(schema)) == schema


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
        st.sampled_from(
            [*document(), "events", "egress", "config_schema", "precompiled", "assets", "x"]
        ),
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


def test_the_page_the_program_and_the_sbom_must_be_in_the_bundle() -> None:
    manifest = parsed(sbom="sbom.json")
    check_manifest_against_files(manifest, {"dist/main.wasm", "ui/index.html", "sbom.json"})
    with pytest.raises(ManifestInvalidError) as caught:
        check_manifest_against_files(manifest, {"manifest.json"})
    assert {fault.path for fault in caught.value.faults} == {"$", "ui.entry", "sbom"}
