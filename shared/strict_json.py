"""JSON from strangers: bounded before it is parsed, and read in one way only.

What two parsers could read differently is refused: a key given twice, a number that a double does
not hold exactly, NaN, half a surrogate pair.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Final, NoReturn, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

_MAX_DEPTH: Final = 32
_MAX_INTEGER: Final = 2**53 - 1
_MAX_NUMBER_LENGTH: Final = 64
_SHOWN: Final = 60
# one alternative for each first character, so that matching never goes back
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonInvalidError(ValueError):
    """The text is not JSON as this platform reads it; `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_json(data: bytes, *, max_bytes: int, max_depth: int = _MAX_DEPTH) -> JsonValue:
    """Parses one JSON value.

    Raises:
        JsonInvalidError: it is larger, deeper or looser than allowed.
    """
    if len(data) > max_bytes:
        raise JsonInvalidError("too_large", f"It is larger than {max_bytes} bytes.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonInvalidError("not_utf8", f"Byte {error.start} is not UTF-8.") from None
    _check_depth(text, max_depth)
    try:
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        raise JsonInvalidError(
            "syntax", f"Line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    _check_strings(value)
    return value


def _check_depth(text: str, max_depth: int) -> None:
    """Bounds the recursion of the parser before it starts."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > max_depth:
                raise JsonInvalidError("too_deep", f"It nests deeper than {max_depth} levels.")
        elif match[0] in "]}":
            depth -= 1


def _object(pairs: Sequence[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonInvalidError("duplicate_key", f"The key {_shown(key)} is given twice.")
            seen.add(key)
    return made


def _refuse_constant(text: str) -> NoReturn:
    raise JsonInvalidError("number", f"{text} is not a JSON number.")


def _integer(text: str) -> int:
    if len(text) > _MAX_NUMBER_LENGTH or abs(int(text)) > _MAX_INTEGER:
        raise JsonInvalidError("number", f"The integer {_shown(text)} is beyond +-(2^53 - 1).")
    return int(text)


def _float(text: str) -> float:
    number = float(text) if len(text) <= _MAX_NUMBER_LENGTH else math.inf
    if not math.isfinite(number):
        raise JsonInvalidError("number", f"The number {_shown(text)} is out of range.")
    return number


def _check_strings(value: JsonValue) -> None:
    waiting: list[JsonValue] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if _SURROGATE.search(item):
                raise JsonInvalidError("surrogate", f"{_shown(item)} has half a surrogate pair.")
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
