"""The grammar of each field of a manifest: parsers that give the canonical form or say why not."""

import re
from typing import Annotated, Final

import semver
from pydantic import AfterValidator, StrictStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from shared.bundles.entry_path import fault_of_path
from shared.bundles.layout import DEFAULT_LIMITS
from shared.bundles.version_pattern import is_version_pattern
from shared.capabilities import CAPABILITIES, canonical_capability
from shared.errors import ArgumentInvalidError
from shared.identifiers import MAX_NAME_LENGTH, parse_extension_name, parse_publisher

CALLED_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
UNCALLED_METHODS: Final = ("HEAD", "OPTIONS")
"""Accepted, since existing manifests declare them; the gateway answers both by itself."""

_MAX_VERSION_LENGTH: Final = 64
_MAX_LABEL_LENGTH: Final = 100
_MAX_TEXT_LENGTH: Final = 4000
_MAX_HANDLER_LENGTH: Final = 200
_MAX_ROUTE_LENGTH: Final = 1024
_MAX_ROUTE_SEGMENTS: Final = 32
_RUNTIME_WITHOUT_NUMBER = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+", re.ASCII)
_RUNTIME = re.compile(r"[a-z][a-z0-9-]{0,62}@[0-9]{1,9}", re.ASCII)
_TOPIC = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/:-]{0,126}[A-Za-z0-9])?", re.ASCII)
_SLASHES = re.compile(r"//+")
_HANDLER = re.compile(r"[A-Za-z0-9_$./:#@-]+", re.ASCII)
_LITERAL_SEGMENT = re.compile(r"[A-Za-z0-9._~!$&'()+,;=@-]+", re.ASCII)
_PARAMETER_SEGMENT = re.compile(r":[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


def _refused(code: str, message: str) -> PydanticCustomError:
    # the message goes in as data: pydantic would read braces in it as places to fill
    return PydanticCustomError(code, "{message}", {"message": message})


def parse_name(text: str) -> str:
    """An extension's name, as `shared.identifiers` has it."""
    try:
        return parse_extension_name(text)
    except ArgumentInvalidError as error:
        raise _refused("name", error.message) from None


def parse_publisher_name(text: str) -> str:
    """A publisher, as `shared.identifiers` has it."""
    try:
        return parse_publisher(text)
    except ArgumentInvalidError as error:
        raise _refused("publisher", error.message) from None


def parse_capability(text: str) -> str:
    """A capability in its canonical form."""
    try:
        return canonical_capability(text)
    except ArgumentInvalidError as error:
        raise _refused("capability", error.message) from None


def parse_version(text: str) -> str:
    """A Semantic Version 2.0.0, or `X.Y.*` for the next patch of X.Y."""
    if len(text) <= _MAX_VERSION_LENGTH and (
        is_version_pattern(text) or (text.isascii() and semver.Version.is_valid(text))
    ):
        return text
    raise _refused(
        "version",
        "A version is a Semantic Version such as 1.2.3, or 1.2.* for the next patch of 1.2, at "
        f"most {_MAX_VERSION_LENGTH} characters.",
    )


def parse_runtime(text: str) -> str:
    """What made the component: `name@number`; a name alone, as `wasm-js`, is its first."""
    runtime = f"{text}@1" if _RUNTIME_WITHOUT_NUMBER.fullmatch(text) else text
    if not _RUNTIME.fullmatch(runtime):
        raise _refused("runtime", "A runtime is a name and a number, such as wasm-js@1.")
    return runtime


def parse_method(text: str) -> str:
    """An HTTP method in upper case."""
    method = text.upper()
    if method not in CALLED_METHODS + UNCALLED_METHODS:
        raise _refused(
            "method", f"A method is one of {', '.join(CALLED_METHODS + UNCALLED_METHODS)}."
        )
    return method


def parse_route(text: str) -> str:
    """An endpoint's path: `/`, or segments that are literal or a `:parameter`.

    What can be meant in one way only is put right: `./a`, `a`, `//a` and `/a/` are `/a`.
    """
    trimmed = _SLASHES.sub("/", text.removeprefix("./")) if len(text) <= _MAX_ROUTE_LENGTH else text
    route = "/" + trimmed.strip("/") if trimmed else ""
    fault = None if route == "/" else _fault_of_route(route)
    if fault:
        raise _refused("path", fault)
    return route


def parse_topic(text: str) -> str:
    """The name of a kind of event."""
    if not _TOPIC.fullmatch(text):
        raise _refused("topic", "A topic is 1 to 128 letters, digits and inner . _ / : -.")
    return text


def parse_handler(text: str) -> str:
    """The name under which the extension knows an endpoint's code."""
    if len(text) > _MAX_HANDLER_LENGTH or ".." in text or not _HANDLER.fullmatch(text):
        raise _refused(
            "handler",
            f"A handler is 1 to {_MAX_HANDLER_LENGTH} letters, digits and _ $ . / : # @ -, "
            'without "..".',
        )
    return text


def parse_bundle_path(text: str) -> str:
    """The path of a file in the bundle."""
    fault = fault_of_path(text, DEFAULT_LIMITS)
    if fault:
        raise _refused("bundle_path", f"This names no file of a bundle: {fault}.")
    return text


def parse_label(text: str) -> str:
    """A short text for people, trimmed."""
    return _printable(text, "label", _MAX_LABEL_LENGTH)


def parse_text(text: str) -> str:
    """A longer text for people, trimmed; it may have line breaks."""
    return _printable(text, "text", _MAX_TEXT_LENGTH, also="\n\t")


def _fault_of_route(text: str) -> str | None:
    segments = text[1:].split("/") if len(text) <= _MAX_ROUTE_LENGTH else []
    parameters = [segment for segment in segments if segment.startswith(":")]
    rules = (
        (not segments, f"A path has at most {_MAX_ROUTE_LENGTH} characters."),
        (not text.startswith("/"), 'A path starts with "/".'),
        (
            len(segments) > _MAX_ROUTE_SEGMENTS,
            f"A path has at most {_MAX_ROUTE_SEGMENTS} segments.",
        ),
        ("." in segments or ".." in text, 'A path has no "." or ".." in it.'),
        (
            not all(_PARAMETER_SEGMENT.fullmatch(parameter) for parameter in parameters),
            "A parameter is : and a name of letters, digits and _.",
        ),
        (len(set(parameters)) < len(parameters), "A path names each parameter once."),
        (
            not all(
                segment.startswith(":") or _LITERAL_SEGMENT.fullmatch(segment)
                for segment in segments
            ),
            "A segment is a :parameter, or letters, digits and . _ ~ ! $ & ' ( ) + , ; = @ -.",
        ),
    )
    return next((fault for broken, fault in rules if broken), None)


def _printable(text: str, what: str, max_length: int, also: str = "") -> str:
    trimmed = text.strip()
    if not 0 < len(trimmed) <= max_length or not all(
        character.isprintable() or character in also for character in trimmed
    ):
        raise _refused(what, f"This is a text of 1 to {max_length} printable characters.")
    return trimmed


def _text(pattern: str, max_length: int) -> WithJsonSchema:
    """What the published JSON Schema says of a text; the parser beside it decides."""
    return WithJsonSchema({"type": "string", "pattern": pattern, "maxLength": max_length})


def _prose(max_length: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": max_length})


_LABEL: Final = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NAMES: Final = "|".join(re.escape(name.removeprefix("cap:")) for name in sorted(CAPABILITIES))

Name = Annotated[
    StrictStr, AfterValidator(parse_name), _text(rf"^{_LABEL}(?:\.{_LABEL})*$", MAX_NAME_LENGTH)
]
Publisher = Annotated[StrictStr, AfterValidator(parse_publisher_name), _text(f"^{_LABEL}$", 64)]
CapabilityName = Annotated[
    StrictStr, AfterValidator(parse_capability), _text(f"^(?:cap:)?(?:{_NAMES})$", 64)
]
VersionText = Annotated[
    StrictStr,
    AfterValidator(parse_version),
    _text(r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(\*|(0|[1-9]\d*)([-+][0-9A-Za-z.+-]+)?)$", 64),
]
Runtime = Annotated[
    StrictStr, AfterValidator(parse_runtime), _text("^[a-z][a-z0-9-]*(?:@[0-9]{1,9})?$", 73)
]
Method = Annotated[
    StrictStr,
    AfterValidator(parse_method),
    WithJsonSchema({"type": "string", "enum": [*CALLED_METHODS, *UNCALLED_METHODS]}),
]
Route = Annotated[StrictStr, AfterValidator(parse_route), _text(r"^/\S*$", _MAX_ROUTE_LENGTH)]
Topic = Annotated[StrictStr, AfterValidator(parse_topic), _text(f"^{_TOPIC.pattern}$", 128)]
Handler = Annotated[
    StrictStr, AfterValidator(parse_handler), _text(f"^{_HANDLER.pattern}$", _MAX_HANDLER_LENGTH)
]
BundlePath = Annotated[
    StrictStr,
    AfterValidator(parse_bundle_path),
    _text("^[A-Za-z0-9._/-]+$", DEFAULT_LIMITS.path_bytes),
]
Label = Annotated[StrictStr, AfterValidator(parse_label), _prose(_MAX_LABEL_LENGTH)]
Text = Annotated[StrictStr, AfterValidator(parse_text), _prose(_MAX_TEXT_LENGTH)]
