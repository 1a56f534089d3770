"""What the registry will check of a bundle, as far as it can be told without one.

Left to the registry are: what its compiler says, whether the name is another's, and the signature.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from shared.bundles.capability_proof import undeclared_capabilities, unused_capabilities
from shared.bundles.component import ComponentOutline, check_component
from shared.bundles.entry_path import shown
from shared.bundles.layout import COMPONENT_PATH, MANIFEST_PATH
from shared.bundles.manifest import Manifest, check_manifest_against_files, parse_manifest
from shared.bundles.sbom import parse_sbom
from shared.bundles.secret_scan import EmbeddedSecret, embedded_secrets
from shared.errors import (
    BundleInvalidError,
    ComponentInvalidError,
    ExtensionError,
    Fault,
    ManifestInvalidError,
)

_MAX_FAULTS: Final = 100
_VERDICTS: Final = (BundleInvalidError, ComponentInvalidError, ManifestInvalidError)

Found = TypeVar("Found")


def check_files(files: Mapping[str, bytes]) -> tuple[Manifest, tuple[str, ...]]:
    """Checks all that a bundle holds; gives its manifest, and warnings.

    Raises:
        ManifestInvalidError, ComponentInvalidError, BundleInvalidError: of the first thing that is
            wrong, with the faults of everything that is.
    """
    checking = _Checking()
    manifest = checking(lambda: _manifest(files, checking.warnings))
    if manifest is not None and manifest.sbom is not None:
        document = files[manifest.sbom]
        checking(lambda: parse_sbom(document))
    checking(lambda: _secrets(files, checking.warnings))
    outline = None
    if COMPONENT_PATH in files:
        outline = checking(lambda: check_component(files[COMPONENT_PATH]))
    if manifest is not None and outline is not None:
        _capabilities(manifest, outline, checking)
    checking.raise_if_failed()
    assert manifest is not None, "it failed otherwise"
    return manifest, tuple(checking.warnings)


class _Checking:
    """Notes what was wrong and goes on."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.failed: list[ExtensionError] = []

    def __call__(self, check: Callable[[], Found]) -> Found | None:
        try:
            return check()
        except _VERDICTS as error:
            self.failed.append(error)
            return None

    def raise_if_failed(self) -> None:
        if self.failed:
            first = self.failed[0]
            faults = [fault for error in self.failed for fault in _faults(error)]
            raise type(first)(first.message, faults=faults[:_MAX_FAULTS])


def _manifest(files: Mapping[str, bytes], warnings: list[str]) -> Manifest:
    if MANIFEST_PATH not in files:
        raise ManifestInvalidError(f"The bundle has no {MANIFEST_PATH}.")
    manifest, told = parse_manifest(files[MANIFEST_PATH])
    warnings += told
    check_manifest_against_files(manifest, files)
    return manifest


def _capabilities(manifest: Manifest, outline: ComponentOutline, checking: _Checking) -> None:
    faults = list(undeclared_capabilities(outline, manifest.capabilities))
    if faults:
        checking.failed.append(ManifestInvalidError(faults[0].message, faults=faults))
    checking.warnings += unused_capabilities(outline, manifest.capabilities)


def _secrets(files: Mapping[str, bytes], warnings: list[str]) -> None:
    found = embedded_secrets(files)
    warnings += [
        f"There is what looks like a secret: {_where(secret)}."
        for secret in found
        if not secret.is_certain
    ]
    faults = [
        Fault(
            f"files[{shown(secret.path)}]",
            "secret_embedded",
            f"There is {_where(secret)}.",
            "Take it out: who has the bundle has it.",
        )
        for secret in found
        if secret.is_certain
    ]
    if faults:
        raise BundleInvalidError(faults[0].message, faults=faults)


def _faults(error: ExtensionError) -> Iterator[Fault] | Sequence[Fault]:
    return error.faults or [Fault("$", error.reason.lower(), error.message)]


def _where(secret: EmbeddedSecret) -> str:
    return f"{secret.kind} at byte {secret.offset} of {shown(secret.path)}"
