"""Reading a manifest from a stranger: every fault in one answer, each with its path."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from pydantic_core import PydanticCustomError

from shared.bundles.config_schema import config_schema_faults
from shared.bundles.entry_path import shown
from shared.bundles.layout import COMPONENT_PATH, MANIFEST_PATH, UI_PREFIX
from shared.bundles.manifest_fields import UNCALLED_METHODS, parse_method, parse_route
from shared.bundles.manifest_model import Api, Endpoint, Hooks, Manifest, MenuHook, Ui
from shared.bundles.manifest_reading import fit
from shared.egress_rules import EgressPolicy, EgressRule
from shared.errors import EgressRuleInvalidError, Fault, ManifestInvalidError
from shared.strict_json import JsonInvalidError, JsonValue, parse_json

__all__ = [
    "MAX_MANIFEST_BYTES",
    "Api",
    "Endpoint",
    "Hooks",
    "Manifest",
    "MenuHook",
    "Ui",
    "check_manifest_against_files",
    "manifest_schema",
    "parse_manifest",
]

MAX_MANIFEST_BYTES: Final = 256 * 1024
_MAX_FAULTS: Final = 100


def parse_manifest(data: bytes) -> tuple[Manifest, list[str]]:
    """Reads `manifest.json`.

    Args:
        data: at most 256 KiB of UTF-8.

    Returns:
        The manifest and the warnings: one sentence for each part that has no effect, or that is
        read as something else than it says.

    Raises:
        ManifestInvalidError: with all faults; paths such as `api.endpoints[2].method`, `$` for the
            document as a whole.
    """
    try:
        document = parse_json(data, max_bytes=MAX_MANIFEST_BYTES)
    except JsonInvalidError as error:
        raise _refused(
            [Fault("$", f"json_{error.code}", str(error), "Correct the JSON.")]
        ) from None
    if not isinstance(document, dict):
        raise _refused([Fault("$", "not_an_object", "The manifest is not a JSON object.")])
    manifest, faults, warnings = fit(document)
    faults += _endpoint_faults(document)
    if document.get("config_schema") is not None:
        faults += config_schema_faults(document["config_schema"])
    if manifest is not None:
        faults += [*_entry_faults(manifest), *_egress_faults(manifest)]
    if manifest is None or faults:
        raise _refused(faults)
    unique = tuple(dict.fromkeys(manifest.capabilities))
    warnings += _warnings(manifest)
    return manifest.model_copy(update={"capabilities": unique}), warnings


def manifest_schema() -> Mapping[str, JsonValue]:
    """The JSON Schema (2020-12) of `manifest.json`.

    What no schema can say (endpoints that collide, files that are missing) is told by
    `parse_manifest` and `check_manifest_against_files` only.
    """
    schema = Manifest.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def check_manifest_against_files(manifest: Manifest, files: Collection[str]) -> None:
    """Checks what the manifest names against the paths in its bundle.

    Raises:
        ManifestInvalidError: a file that must be there is missing.
    """
    needed = {"$": COMPONENT_PATH}
    if manifest.ui is not None:
        needed["ui.entry"] = manifest.ui.entry
    if manifest.sbom is not None:
        needed["sbom"] = manifest.sbom
    faults = [
        Fault(
            where,
            "file_missing",
            f"The bundle has no file {shown(path)}.",
            "Add the file to the bundle, or correct the path.",
        )
        for where, path in needed.items()
        if path not in files
    ]
    if faults:
        raise _refused(faults)


def _endpoint_faults(document: dict[str, JsonValue]) -> Iterator[Fault]:
    """Endpoints that no request could tell apart; looked for even where other fields are wrong."""
    api = document.get("api")
    endpoints = api.get("endpoints") if isinstance(api, dict) else None
    first: dict[tuple[str, str], tuple[int, str]] = {}
    for index, endpoint in enumerate(endpoints if isinstance(endpoints, list) else ()):
        if not isinstance(endpoint, dict):
            continue
        try:
            method = parse_method(str(endpoint.get("method")))
            path = parse_route(str(endpoint.get("path")))
        except PydanticCustomError:
            continue  # told by the model
        shape = "/".join(":" if part.startswith(":") else part for part in path.split("/"))
        earlier, earlier_path = first.setdefault((method, shape), (index, path))
        if earlier == index:
            continue
        same = earlier_path == path
        yield Fault(
            f"api.endpoints[{index}]",
            "endpoint_duplicate" if same else "endpoint_collision",
            f"{method} {path} "
            + ("is declared already" if same else f"matches the same requests as {earlier_path}")
            + f" in api.endpoints[{earlier}].",
            "Keep one of them.",
        )


def _entry_faults(manifest: Manifest) -> Iterator[Fault]:
    if manifest.ui is not None and not manifest.ui.entry.startswith(UI_PREFIX):
        yield Fault(
            "ui.entry",
            "ui_entry",
            f"The page {shown(manifest.ui.entry)} is not below {UI_PREFIX}, so it is never served.",
            f"Move it to {UI_PREFIX}.",
        )
    if manifest.entry not in (None, COMPONENT_PATH):
        yield Fault(
            "entry",
            "entry",
            f"The program is always {COMPONENT_PATH}; another entry would not run.",
            "Remove the field.",
        )


def _egress_faults(manifest: Manifest) -> Iterator[Fault]:
    """Suggestions that no install could follow. Whether http is allowed is each platform's own."""
    rules = [
        EgressRule(each.scheme, each.host, each.port, each.methods) for each in manifest.egress
    ]
    try:
        EgressPolicy(allow_http=True).parse(rules)
    except EgressRuleInvalidError as error:
        for fault in error.faults:
            path = fault.path.replace("egress_rules", "egress", 1)
            yield Fault(path, fault.code, fault.message, fault.hint)


def _warnings(manifest: Manifest) -> Iterator[str]:
    if manifest.precompiled:
        yield "precompiled files are ignored: the platform compiles components itself."
    if manifest.events:
        yield "events are checked, but the platform does not deliver any yet."
    if manifest.assets:
        yield f"assets is ignored: every file below {UI_PREFIX} is served."
    for index, endpoint in enumerate(manifest.api.endpoints):
        if endpoint.method in UNCALLED_METHODS:
            yield (
                f"api.endpoints[{index}] is never called: "
                f"the gateway answers {endpoint.method} itself."
            )
        for name in ("limits", "auth"):
            if name in endpoint.model_fields_set:
                yield f"api.endpoints[{index}].{name} is checked, but not applied yet."


def _refused(faults: list[Fault]) -> ManifestInvalidError:
    count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
    first = faults[0]
    return ManifestInvalidError(
        f"{MANIFEST_PATH} has {count}, first at {first.path}: {first.message}",
        faults=faults[:_MAX_FAULTS],
    )
