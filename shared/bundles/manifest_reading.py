"""Fitting a document to the manifest's model: what is wrong, and what is only unusual.

Manifests were written for more than one reader before. A field that nobody knows and that
resembles no known one is left out with a warning; one that looks like a slip of the pen is a fault,
since leaving it out would run the extension without what it asked for.
"""

import copy
import difflib
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.bundles import manifest_model as model
from shared.bundles.entry_path import shown
from shared.errors import Fault
from shared.strict_json import JsonValue

_UNKNOWN: Final = "extra_forbidden"
_MAX_UNKNOWN: Final = 50
_MAX_FAULTS: Final = 100
_MESSAGES: Final = {
    "missing": "The field is missing.",
    "model_type": "This is not a JSON object.",
    "dict_type": "This is not a JSON object.",
    "tuple_type": "This is not a JSON array.",
    "string_type": "This is not a JSON string.",
    "int_type": "This is not an integer.",
}
_HINTS: Final = {
    "missing": "Add the field.",
    "name": 'Write it as "agreements" or "com.example.agreements".',
    "publisher": "Write the publisher that the signing key belongs to.",
    "path": 'Write it as "/agreements/:id".',
    "topic": 'Write it as "ticket.created".',
}
_PARTS: Final[Sequence[type[BaseModel]]] = (
    model.Manifest, model.Api, model.Endpoint, model.EndpointLimits, model.EventHandler,
    model.EgressSuggestion, model.Ui, model.Hooks, model.MenuHook,
)  # fmt: skip
_KNOWN: Final = sorted(
    {field.alias or name for part in _PARTS for name, field in part.model_fields.items()}
)

Location = tuple[int | str, ...]


def fit(document: dict[str, JsonValue]) -> tuple[model.Manifest | None, list[Fault], list[str]]:
    """The manifest, unless there are faults, and the warnings."""
    document = copy.deepcopy(document)
    try:
        manifest = model.Manifest.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False)[:_MAX_FAULTS]
    else:
        return manifest, [], list(_put_right(document, manifest))
    unknown = [each for each in details if each["type"] == _UNKNOWN]
    lenient = len(unknown) <= _MAX_UNKNOWN
    faults = [_fault(each) for each in details if not (lenient and _may_be_left_out(each))]
    if faults:
        return None, faults, []
    warnings = [
        f"{path_of(each['loc'])} is ignored: a manifest has no such field here." for each in details
    ]
    for each in details:
        _leave_out(document, each["loc"])
    manifest = model.Manifest.model_validate(document)
    return manifest, [], [*warnings, *_put_right(document, manifest)]


def path_of(location: Location) -> str:
    """A location as people write it: `api.endpoints[2].method`; `$` is the whole document."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            name = part if part.isidentifier() and len(part) <= 80 else shown(part)  # noqa: PLR2004
            path += f".{name}" if path else name
    return path or "$"


def _put_right(document: dict[str, JsonValue], manifest: model.Manifest) -> Iterator[str]:
    """What was read as something else than it says."""
    if document["runtime"] != manifest.runtime:
        yield f"runtime is read as {manifest.runtime}; write it so."
    api = document.get("api")
    listed = api.get("endpoints") if isinstance(api, dict) else None
    for index, endpoint in enumerate(listed if isinstance(listed, list) else ()):
        path = manifest.api.endpoints[index].path
        if isinstance(endpoint, dict) and endpoint["path"] != path:
            yield f"api.endpoints[{index}].path is read as {path}; write it so."


def _may_be_left_out(details: ErrorDetails) -> bool:
    return details["type"] == _UNKNOWN and _nearest(details) is None


def _nearest(details: ErrorDetails) -> str | None:
    name = str(details["loc"][-1])[:80]
    return next(iter(difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.75)), None)


def _leave_out(document: JsonValue, location: Location) -> None:
    *way, last = location
    for part in way:
        match document:
            case list() if isinstance(part, int):
                document = document[part]
            case dict():
                document = document[str(part)]
    if isinstance(document, dict):
        del document[str(last)]


def _fault(details: ErrorDetails) -> Fault:
    code = details["type"]
    path = path_of(details["loc"])
    if code == _UNKNOWN:
        nearest = _nearest(details)
        advice = (
            f"Did you mean {nearest}? Correct its name or its place" if nearest else "Remove it"
        )
        return Fault(path, code, "A manifest has no such field here.", f"{advice}.")
    return Fault(path, code, _MESSAGES.get(code, details["msg"]), _HINTS.get(code, ""))
