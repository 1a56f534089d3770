"""The grammar of each field of a manifest: parsers that give the canonical form or say why not."""

import re
from typing import Annotated, Final

import semver
from pydantic import AfterValidator, StrictStr
from pydantic_core import PydanticCustomError

from shared.bundles.entry_path import fault_of_path
from shared.bundles.layout import DEFAULT_LIMITS
from shared.capabilities import canonical_capability
from shared.errors import ArgumentInvalidError
from shared.identifiers import parse_extension_name, parse_publisher

CALLED_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
UNCALLED_METHODS: Final = ("HEAD", "OPTIONS")
"""Accepted, since existing manifests declare them; the gateway answers both by itself."""

_MAX_VERSION_LENGTH: Final = 64
_MAX_LABEL_LENGTH: Final = 100
_MAX_TEXT_LENGTH: Final = 4000
_MAX_HANDLER_LENGTH: Final = 200
_MAX_ROUTE_LENGTH: Final = 1024
_MAX_ROUTE_SEGMENTS: Final = 32
_WILDCARD_VERSION = re.compile(r"\d+\.\d+\.\*", re.ASCII)
_RUNTIME = re.compile(r"[a-z][a-z0-9-]{0,62}@[0-9]{1,9}", re.ASCII)
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
    """A Semantic Version 2.0.0."""
    if _WILDCARD_VERSION.fullmatch(text):
        raise _refused(
            "version_wildcard",
            "A version such as 1.2.* is not supported yet; write the whole version, as 1.2.3.",
        )
    if len(text) > _MAX_VERSION_LENGTH or not semver.Version.is_valid(text) or not text.isascii():
        raise _refused(
            "version",
            f"A version is a Semantic Version such as 1.2.3, at most {_MAX_VERSION_LENGTH} "
            "characters.",
        )
    return text


def parse_runtime(text: str) -> str:
    """What made the component: `name@number`."""
    if not _RUNTIME.fullmatch(text):
        raise _refused("runtime", "A runtime is a name and a number, such as wasm-js@1.")
    return text


def parse_method(text: str) -> str:
    """An HTTP method in upper case."""
    method = text.upper()
    if method not in CALLED_METHODS + UNCALLED_METHODS:
        raise _refused(
            "method", f"A method is one of {', '.join(CALLED_METHODS + UNCALLED_METHODS)}."
        )
    return method


def parse_route(text: str) -> str:
    """An endpoint's path: `/`, or segments that are literal or a `:parameter`."""
    fault = None if text == "/" else _fault_of_route(text)
    if fault:
        raise _refused("path", fault)
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
        ("" in segments, 'A path has no "//" and no "/" at its end.'),
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


Name = Annotated[StrictStr, AfterValidator(parse_name)]
Publisher = Annotated[StrictStr, AfterValidator(parse_publisher_name)]
CapabilityName = Annotated[StrictStr, AfterValidator(parse_capability)]
VersionText = Annotated[StrictStr, AfterValidator(parse_version)]
Runtime = Annotated[StrictStr, AfterValidator(parse_runtime)]
Method = Annotated[StrictStr, AfterValidator(parse_method)]
Route = Annotated[StrictStr, AfterValidator(parse_route)]
Handler = Annotated[StrictStr, AfterValidator(parse_handler)]
BundlePath = Annotated[StrictStr, AfterValidator(parse_bundle_path)]
Label = Annotated[StrictStr, AfterValidator(parse_label)]
Text = Annotated[StrictStr, AfterValidator(parse_text)]
