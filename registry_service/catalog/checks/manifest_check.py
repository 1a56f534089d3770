"""Checks `manifest` and `sbom`: what the extension says of itself, and what it is made of."""

import asyncio
import json

from registry_service.catalog.checks.check import Passed, Submission
from registry_service.catalog.reference import ExtensionReference
from registry_service.catalog.store import CatalogStore
from shared.bundles.layout import MANIFEST_PATH
from shared.bundles.manifest import Manifest, check_manifest_against_files, parse_manifest
from shared.bundles.sbom import parse_sbom
from shared.bundles.version_pattern import is_version_pattern
from shared.errors import (
    BundleInvalidError,
    ExtensionVersionAlreadyExistsError,
    Fault,
    ManifestInvalidError,
)

_MAX_SAID = 64


class ManifestCheck:
    """The manifest, against its grammar, the bundle's files, the entry, and the versions."""

    name = "manifest"

    def __init__(self, *, catalog: CatalogStore) -> None:
        self._catalog = catalog

    def applies(self, submission: Submission) -> bool:
        """Once the archive was read."""
        return bool(submission.files)

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`. A version that is there ends the publish: nothing is left to check."""
        data = submission.files.get(MANIFEST_PATH)
        if data is None:
            raise BundleInvalidError(f"The bundle has no {MANIFEST_PATH} at its root.")
        submission.said_version = _said_version(data)
        manifest, warnings = parse_manifest(data)
        check_manifest_against_files(manifest, submission.files)
        _check_entry(manifest, submission)
        if not is_version_pattern(manifest.version):
            by_id = ExtensionReference(id=submission.entry.registry_id)
            if await self._catalog.find_version(by_id, manifest.version) is not None:
                raise ExtensionVersionAlreadyExistsError
        submission.manifest, submission.manifest_json = manifest, data.decode()
        return Passed("The manifest is understood.", tuple(warnings))


class SbomCheck:
    """The bill of materials that the manifest names."""

    name = "sbom"

    def applies(self, submission: Submission) -> bool:
        """When there is one."""
        return submission.manifest is not None and submission.manifest.sbom is not None

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`."""
        assert submission.manifest is not None, "see applies"
        assert submission.manifest.sbom is not None, "see applies"
        document = submission.files[submission.manifest.sbom]
        submission.sbom = await asyncio.to_thread(parse_sbom, document)
        return Passed(
            f"{submission.sbom.format.value} with {len(submission.sbom.components)} components."
        )


def _check_entry(manifest: Manifest, submission: Submission) -> None:
    entry = submission.entry
    faults = [
        Fault(
            field,
            "entry_mismatch",
            f'The manifest says "{said}", the registry entry is "{known}".',
            "Publish under the entry that the manifest names, or correct the manifest.",
        )
        for field, said, known in (
            ("publisher", manifest.publisher, entry.publisher),
            ("name", manifest.name, entry.name),
        )
        if said != known
    ]
    if faults:
        raise ManifestInvalidError("The manifest is that of another extension.", faults=faults)


def _said_version(data: bytes) -> str:
    """The version of a manifest that may have any fault; empty when there is none to show."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    version = document.get("version") if isinstance(document, dict) else None
    return version[:_MAX_SAID] if isinstance(version, str) and version.isprintable() else ""
