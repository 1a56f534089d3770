"""Config schemas: a small language, refused where it is larger, and enforced where it is used."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bundles.config_schema import (
    MAX_DEPTH,
    MAX_NODES,
    config_schema_faults,
    validate_config,
)

GREETER: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "title": "Greeter",
    "properties": {
        "greeting": {"type": "string", "minLength": 1, "maxLength": 5, "default": "Hi"},
        "tone": {"type": "string", "enum": ["warm", "cold"]},
        "retries": {"type": "integer", "minimum": 0, "maximum": 3},
        "ratio": {"type": "number"},
        "loud": {"type": "boolean", "enum": [True]},
        "names": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "more": {"type": "object", "properties": {"x": {"type": "integer"}}},
    },
    "required": ["greeting"],
    "additionalProperties": False,
}


def told(schema: Any) -> dict[str, str]:
    return {fault.path: fault.code for fault in config_schema_faults(schema)}


def refused(config: Any, schema: dict[str, Any] = GREETER) -> dict[str, str]:
    return {fault.path: fault.code for fault in validate_config(schema, config)}


def test_a_schema_of_every_keyword_is_taken() -> None:
    assert told(GREETER) == {}


@pytest.mark.parametrize(
    "config",
    [
        {"greeting": "Hallo", "tone": "warm", "retries": 3, "ratio": 1, "loud": True},
        {"greeting": "\U0001f600" * 5, "names": ["a", "b"], "more": {"x": 1.0, "y": None}},
    ],
)
def test_a_config_that_fits_has_no_faults(config: dict[str, Any]) -> None:
    assert refused(config) == {}


@pytest.mark.parametrize(
    ("config", "faults"),
    [
        ([], {"config": "type"}),
        ({}, {"config.greeting": "missing"}),
        ({"greeting": ""}, {"config.greeting": "minLength"}),
        ({"greeting": "Servus"}, {"config.greeting": "maxLength"}),
        ({"greeting": "x", "tone": "WARM"}, {"config.tone": "enum"}),
        ({"greeting": "x", "retries": 4}, {"config.retries": "maximum"}),
        ({"greeting": "x", "retries": -1}, {"config.retries": "minimum"}),
        ({"greeting": "x", "retries": 0.5}, {"config.retries": "type"}),
        ({"greeting": "x", "retries": True}, {"config.retries": "type"}),
        ({"greeting": "x", "ratio": "1"}, {"config.ratio": "type"}),
        ({"greeting": "x", "loud": 1}, {"config.loud": "type"}),
        ({"greeting": "x", "names": []}, {"config.names": "minItems"}),
        ({"greeting": "x", "names": ["a", 2]}, {"config.names[1]": "type"}),
        ({"greeting": "x", "names": ["a"] * 3}, {"config.names": "maxItems"}),
        ({"greeting": "x", "more": {"x": "1"}}, {"config.more.x": "type"}),
        ({"greeting": "x", "colour": "red"}, {"config.colour": "unknown"}),
    ],
)
def test_what_does_not_fit_is_told_with_its_path(config: Any, faults: dict[str, str]) -> None:
    assert refused(config) == faults


def test_a_number_is_not_the_boolean_that_python_takes_it_for() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "enum": [True, 2]}}}
    assert refused({"n": 1}, schema) == {"config.n": "enum"}
    assert refused({"n": 2.0}, schema) == {}


def test_faults_do_not_repeat_what_was_set() -> None:
    faults = validate_config(GREETER, {"greeting": "hunter2hunter2", "tone": "hunter2"})
    assert "hunter2" not in json.dumps([[f.path, f.message, f.hint] for f in faults])


def of(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": part}}


@pytest.mark.parametrize(
    ("schema", "faults"),
    [
        (None, {"config_schema": "config_schema_root"}),
        ({"type": "string"}, {"config_schema": "config_schema_root"}),
        (of({}), {"config_schema.properties.x.type": "config_schema_type"}),
        (of(True), {"config_schema.properties.x": "config_schema_type"}),
        (of({"type": ["string"]}), {"config_schema.properties.x.type": "config_schema_type"}),
        (
            of({"type": "string", "pattern": "(a+)+$"}),
            {"config_schema.properties.x.pattern": "config_schema_keyword"},
        ),
        (
            of({"type": "string", "minimum": 1}),
            {"config_schema.properties.x.minimum": "config_schema_keyword"},
        ),
        (
            of({"type": "object", "$ref": "#"}),
            {"config_schema.properties.x.$ref": "config_schema_keyword"},
        ),
        (
            of({"type": "string", "minLength": -1}),
            {"config_schema.properties.x.minLength": "config_schema_value"},
        ),
        (
            of({"type": "integer", "maximum": "9"}),
            {"config_schema.properties.x.maximum": "config_schema_value"},
        ),
        (
            of({"type": "string", "enum": []}),
            {"config_schema.properties.x.enum": "config_schema_value"},
        ),
        (
            {"type": "object", "required": ["y"], "properties": {}},
            {"config_schema.required": "config_schema_value"},
        ),
        (
            {"type": "object", "additionalProperties": {}},
            {"config_schema.additionalProperties": "config_schema_value"},
        ),
        ({"type": "object", "properties": []}, {"config_schema.properties": "config_schema_value"}),
    ],
    ids=str,
)  # fmt: skip
def test_a_schema_that_could_not_be_enforced_is_refused(
    schema: Any, faults: dict[str, str]
) -> None:
    assert told(schema) == faults


def test_a_schema_is_neither_deep_nor_wide() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(MAX_DEPTH):
        deep = of(deep)
    wide = {
        "type": "object",
        "properties": {f"f{number}": {"type": "string"} for number in range(MAX_NODES)},
    }
    assert list(told(deep).values()) == ["config_schema_size"]
    assert list(told(wide).values()) == ["config_schema_size"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "enum", "required", "x", "minimum"]),
            inner | st.sampled_from(["object", "array", "string", "integer"]),
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(schema=JSON, config=JSON)
def test_any_schema_is_refused_or_can_be_used_on_any_config(schema: Any, config: Any) -> None:
    if not config_schema_faults(schema):
        for fault in validate_config(schema, config):
            assert fault.path.startswith("config")
