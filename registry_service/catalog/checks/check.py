"""What a check of a publish is: it looks at a submission, and warns or refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from registry_service.catalog.model import RegistryEntry
from shared.bundles.component import ComponentOutline
from shared.bundles.manifest import Manifest
from shared.bundles.sbom import Sbom
from shared.component_compiler import CompiledCode
from shared.identifiers import ContentHash
from shared.trust.verification import SignatureVerification


@dataclass(slots=True, kw_only=True)
class Submission:
    """What is to be published, and what the checks so far learned about it."""

    entry: RegistryEntry
    content_hash: ContentHash
    packed: bytes
    envelope: bytes

    files: Mapping[str, bytes] = field(default_factory=dict)
    said_version: str = ""
    """What the manifest says, even where it is otherwise wrong; for people."""
    manifest: Manifest | None = None
    manifest_json: str = ""
    sbom: Sbom | None = None
    outline: ComponentOutline | None = None
    compiled: CompiledCode | None = None
    signature: SignatureVerification | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """A check that refuses nothing: what it found, and what it warns of."""

    detail: str
    warnings: tuple[str, ...] = ()


class Check(Protocol):
    """One of the checks, or a coherent group of them."""

    name: str

    def applies(self, submission: Submission) -> bool:
        """Whether what this check looks at is there; what stood in its way was refused before."""
        ...

    async def run(self, submission: Submission) -> Passed:
        """Looks at the submission, and adds to it what it learns.

        Raises:
            ManifestInvalidError, ComponentInvalidError, BundleInvalidError, BundleTooLargeError,
            BundleUntrustedError: the check failed.
            ExtensionError: nobody can say, or nothing needs to be checked any further.
        """
        ...
