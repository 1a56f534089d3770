"""Software bills of materials: SPDX 2 and CycloneDX, as JSON.

Only what is searched for is read, namely the name, version and package URL of each component; the
document itself is kept as it was published.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.errors import Fault, ManifestInvalidError
from shared.strict_json import JsonInvalidError, JsonValue, parse_json

MAX_SBOM_BYTES: Final = 3 * 1024 * 1024
"""What fits into one message."""
MAX_COMPONENTS: Final = 10_000
MAX_NAME: Final = 256
_MAX_VERSION: Final = 128
_MAX_PURL: Final = 512
_MAX_FAULTS: Final = 20


class SbomFormat(StrEnum):
    """Which standard a document follows."""

    SPDX = "spdx"
    CYCLONEDX = "cyclonedx"


@dataclass(frozen=True, slots=True, order=True)
class SbomComponent:
    """One thing that a bundle is made of; `version` and `package_url` may be empty.

    `package_url` has no version, qualifiers or subpath: it names the package, whatever its version.
    """

    name: str
    version: str = ""
    package_url: str = ""


@dataclass(frozen=True, slots=True)
class Sbom:
    """A bill of materials: each component once, sorted."""

    format: SbomFormat
    components: tuple[SbomComponent, ...]


def parse_sbom(data: bytes) -> Sbom:
    """Reads a bill of materials.

    Raises:
        ManifestInvalidError: it is none, or over a limit; the faults' paths start with `sbom`.
    """
    try:
        document = parse_json(data, max_bytes=MAX_SBOM_BYTES)
    except JsonInvalidError as error:
        raise _refused([Fault("sbom", f"json_{error.code}", str(error))]) from None
    fields = document if isinstance(document, dict) else {}
    if fields.get("bomFormat") == "CycloneDX":
        kind, listed = SbomFormat.CYCLONEDX, _cyclonedx(fields.get("components"), "sbom.components")
    elif str(fields.get("spdxVersion")).startswith("SPDX-2"):
        kind, listed = SbomFormat.SPDX, _spdx(fields.get("packages"))
    else:
        raise _refused(
            [
                Fault(
                    "sbom",
                    "sbom_format",
                    "The document is neither SPDX 2 nor CycloneDX.",
                    'Write JSON with "spdxVersion": "SPDX-2.3" or "bomFormat": "CycloneDX".',
                )
            ]
        )
    return Sbom(kind, _checked(listed))


def package_url_without_version(text: str) -> str:
    """`pkg:npm/%40scope/name` of `pkg:npm/%40scope/name@1.2.3?arch=x#sub`."""
    base = text.partition("#")[0].partition("?")[0]
    package, at, version = base.rpartition("@")
    return package if at and "/" not in version else base


_Listed = Iterator[tuple[str, SbomComponent | None]]


def _cyclonedx(listed: JsonValue, path: str) -> _Listed:
    """The components, and those inside them, each with its path; None for what is no component."""
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        where = f"{path}[{index}]"
        fields = item if isinstance(item, dict) else {}
        yield where, _component(fields.get("name"), fields.get("version"), fields.get("purl"))
        yield from _cyclonedx(fields.get("components"), f"{where}.components")


def _spdx(listed: JsonValue) -> _Listed:
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        fields = item if isinstance(item, dict) else {}
        references = fields.get("externalRefs")
        purl = next(
            (
                reference.get("referenceLocator")
                for reference in (references if isinstance(references, list) else ())
                if isinstance(reference, dict) and reference.get("referenceType") == "purl"
            ),
            None,
        )
        component = _component(fields.get("name"), fields.get("versionInfo"), purl)
        yield f"sbom.packages[{index}]", component


def _component(name: JsonValue, version: JsonValue, purl: JsonValue) -> SbomComponent | None:
    limits = (name, MAX_NAME), (version, _MAX_VERSION), (purl, _MAX_PURL)
    texts = ["" if text is None else text for text, _ in limits]
    if not texts[0] or not all(
        isinstance(text, str) and len(text) <= most and text.isprintable()
        for text, (_, most) in zip(texts, limits, strict=True)
    ):
        return None
    return SbomComponent(str(texts[0]), str(texts[1]), package_url_without_version(str(texts[2])))


def _checked(listed: _Listed) -> tuple[SbomComponent, ...]:
    components: set[SbomComponent] = set()
    faults: list[Fault] = []
    for path, component in listed:
        if component is None:
            message = "This is no component with a name, a version and a package URL, each short."
            faults.append(Fault(path, "sbom_component", message, "Correct it, or leave it out."))
        else:
            components.add(component)
        if len(components) > MAX_COMPONENTS:
            message = f"A bill of materials has at most {MAX_COMPONENTS} components."
            faults.append(Fault("sbom", "sbom_size", message))
        if len(faults) == _MAX_FAULTS or len(components) > MAX_COMPONENTS:
            break
    if faults:
        raise _refused(faults)
    return tuple(sorted(components))


def _refused(faults: list[Fault]) -> ManifestInvalidError:
    first = faults[0]
    return ManifestInvalidError(
        f"The bill of materials cannot be used: {first.path}: {first.message}", faults=faults
    )
