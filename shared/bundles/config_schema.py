"""What an extension says about its config, and whether a config fits that.

The schema is a subset of JSON Schema 2020-12 that is decided in one pass over the value: it has no
references and no regular expressions, since both are a publisher's and run in the registry.

    any         type (one name), enum (scalars), title, description, default, examples, $schema
    object      properties, required, additionalProperties (true or false)
    array       items, minItems, maxItems
    string      minLength, maxLength (in characters)
    number      minimum, maximum (also of integer)

The schema itself is an object's. A keyword that is not in the list is refused: a rule that is not
enforced would be worse than none.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from shared.errors import Fault
from shared.strict_json import JsonValue

MAX_DEPTH: Final = 8
MAX_NODES: Final = 500
MAX_ENUM: Final = 100
_MAX_FAULTS: Final = 50
_MAX_NAME: Final = 128
_SHOWN: Final = 60

_ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "$schema"})
_COMMON: Final = _ANNOTATIONS | {"type", "enum"}
_KEYWORDS: Final[Mapping[str, frozenset[str]]] = {
    "object": _COMMON | {"properties", "required", "additionalProperties"},
    "array": _COMMON | {"items", "minItems", "maxItems"},
    "string": _COMMON | {"minLength", "maxLength"},
    "integer": _COMMON | {"minimum", "maximum"},
    "number": _COMMON | {"minimum", "maximum"},
    "boolean": _COMMON,
}
_COUNTS: Final = frozenset({"minItems", "maxItems", "minLength", "maxLength"})


def config_schema_faults(schema: JsonValue, *, path: str = "config_schema") -> list[Fault]:
    """What is wrong with a schema; nothing when `validate_config` can use it.

    Args:
        schema: what a manifest says.
        path: where it stands, for the faults.
    """
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return [
            Fault(
                path,
                "config_schema_root",
                "The schema of a config is that of an object.",
                'Write {"type": "object", "properties": {…}}.',
            )
        ]
    reading = _SchemaReading()
    return list(reading.faults(schema, path, depth=1))[:_MAX_FAULTS]


def validate_config(schema: Mapping[str, JsonValue], config: JsonValue) -> list[Fault]:
    """What of a config does not fit its schema. Faults never repeat the config's values.

    Args:
        schema: one without `config_schema_faults`.
        config: what a tenant sets.
    """
    faults: list[Fault] = []
    for fault in _value_faults(schema, config, "config"):
        faults.append(fault)
        if len(faults) == _MAX_FAULTS:
            break
    return faults


class _SchemaReading:
    """Counts the parts of one schema."""

    def __init__(self) -> None:
        self._nodes = 0

    def faults(self, schema: JsonValue, path: str, *, depth: int) -> Iterator[Fault]:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            yield Fault(
                path,
                "config_schema_size",
                f"A schema is at most {MAX_DEPTH} deep and has at most {MAX_NODES} parts.",
                "Flatten the config.",
            )
            return
        if not isinstance(schema, dict):
            yield Fault(path, "config_schema_type", "A schema is a JSON object.")
            return
        kind = schema.get("type")
        if not isinstance(kind, str) or kind not in _KEYWORDS:
            yield Fault(
                f"{path}.type",
                "config_schema_type",
                f"A type is one of {', '.join(_KEYWORDS)}.",
                "Every schema names exactly one type.",
            )
            return
        yield from _keyword_faults(schema, kind, path)
        properties = schema.get("properties")
        for name, part in properties.items() if isinstance(properties, dict) else ():
            yield from self.faults(part, f"{path}.properties.{_shown(name)}", depth=depth + 1)
        if "items" in schema:
            yield from self.faults(schema["items"], f"{path}.items", depth=depth + 1)


def _keyword_faults(schema: Mapping[str, JsonValue], kind: str, path: str) -> Iterator[Fault]:
    for keyword, value in schema.items():
        where = f"{path}.{_shown(keyword)}"
        if keyword not in _KEYWORDS[kind]:
            yield Fault(
                where,
                "config_schema_keyword",
                f"A schema of type {kind} cannot have this keyword here.",
                f"It can have {', '.join(sorted(_KEYWORDS[kind]))}.",
            )
        elif (wrong := _keyword_fault(keyword, value, schema)) is not None:
            yield Fault(where, "config_schema_value", wrong)


def _keyword_fault(keyword: str, value: JsonValue, schema: Mapping[str, JsonValue]) -> str | None:
    known = schema.get("properties")
    rules = (
        (keyword in _COUNTS, _is_count(value), "This is not a count."),
        (keyword in {"minimum", "maximum"}, _is_number(value), "This is not a number."),
        (
            keyword == "enum",
            _is_enum(value),
            f"This is not a list of 1 to {MAX_ENUM} strings, numbers, booleans or nulls.",
        ),
        (
            keyword == "additionalProperties",
            isinstance(value, bool),
            "This is neither true nor false.",
        ),
        (
            keyword == "properties",
            isinstance(value, dict) and all(len(name) <= _MAX_NAME for name in value),
            f"This is not an object with names of at most {_MAX_NAME} characters.",
        ),
        (
            keyword == "required",
            isinstance(value, list)
            and isinstance(known, dict)
            and all(isinstance(name, str) and name in known for name in value),
            "This is not a list of names that properties has.",
        ),
    )
    return next((message for applies, holds, message in rules if applies and not holds), None)


def _value_faults(schema: Mapping[str, JsonValue], value: JsonValue, path: str) -> Iterator[Fault]:
    kind = str(schema["type"])
    if not _fits(kind, value):
        yield Fault(path, "type", f"This is not {_ARTICLE[kind]} {kind}.")
        return
    allowed = schema.get("enum")
    if isinstance(allowed, list) and not any(_same(value, each) for each in allowed):
        yield Fault(path, "enum", "This is none of the values that are allowed.")
    for keyword, measured, most in _measures(value):
        bound = schema.get(keyword)
        if _is_number(bound) and (measured > _number(bound) if most else measured < _number(bound)):
            yield Fault(path, keyword, f"This passes {keyword} {bound}.")
    if isinstance(value, dict):
        yield from _object_faults(schema, value, path)
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        for index, item in enumerate(value):
            yield from _value_faults(items, item, f"{path}[{index}]")


def _object_faults(
    schema: Mapping[str, JsonValue], value: Mapping[str, JsonValue], path: str
) -> Iterator[Fault]:
    properties = schema.get("properties")
    known: Mapping[str, JsonValue] = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in value:
            yield Fault(f"{path}.{_shown(str(name))}", "missing", "The field is missing.")
    for name, part in value.items():
        of_part = known.get(name)
        if isinstance(of_part, dict):
            yield from _value_faults(of_part, part, f"{path}.{_shown(name)}")
        elif schema.get("additionalProperties") is False:
            yield Fault(f"{path}.{_shown(name)}", "unknown", "The config has no such field.")


_ARTICLE: Final = {
    "object": "an", "array": "an", "integer": "an",
    "string": "a", "number": "a", "boolean": "a",
}  # fmt: skip


def _measures(value: JsonValue) -> Iterator[tuple[str, float, bool]]:
    """The keywords that bound this value, what they look at, and whether they bound it above."""
    if isinstance(value, str):
        yield "minLength", len(value), False
        yield "maxLength", len(value), True
    elif isinstance(value, list):
        yield "minItems", len(value), False
        yield "maxItems", len(value), True
    elif _is_number(value):
        yield "minimum", _number(value), False
        yield "maximum", _number(value), True


def _fits(kind: str, value: JsonValue) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return _is_integer(value)
    return _is_number(value)


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: JsonValue) -> bool:
    return _is_number(value) and _number(value) == int(_number(value))


def _is_count(value: JsonValue) -> bool:
    return _is_integer(value) and _number(value) >= 0


def _number(value: JsonValue) -> float:
    assert isinstance(value, int | float)
    return value


def _is_enum(value: JsonValue) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MAX_ENUM
        and not any(isinstance(each, list | dict) for each in value)
    )


def _same(one: JsonValue, other: JsonValue) -> bool:
    """JSON's equality: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _shown(name: str) -> str:
    return ascii(name[:_SHOWN])[1:-1]
