"""Publishing a version: everything is checked, then the objects are written, then the row."""

import hashlib
from collections.abc import Mapping, Sequence

from registry_service.catalog.bundles import Bundles
from registry_service.catalog.checks.check import Submission
from registry_service.catalog.checks.examination import Examination, Findings
from registry_service.catalog.model import ExtensionVersion, NewVersion, StoredBundle
from registry_service.catalog.publish_records import PublishAttempt, PublishRecords
from registry_service.catalog.reference import ExtensionReference
from registry_service.catalog.store import CatalogStore
from registry_service.publishers.ownership import Ownership
from shared.bundles.fleet_artefact import ArtefactKey
from shared.bundles.layout import COMPONENT_PATH, bundle_key, signature_key
from shared.bundles.store import BundleStore
from shared.errors import ArgumentInvalidError, RegistryEntryNotFoundError
from shared.identifiers import ContentHash
from shared.tokens.publisher_proof import PublisherAction
from shared.trust.envelope import MAX_ENVELOPE_BYTES

_MAX_ATTEMPTS = 100


class Publisher:
    """Turns stored bundles into versions."""

    def __init__(
        self,
        *,
        catalog: CatalogStore,
        ownership: Ownership,
        bundles: Bundles,
        objects: BundleStore,
        examination: Examination,
        records: PublishRecords,
        artefact_key: ArtefactKey | None,
    ) -> None:
        """Without an `artefact_key` no machine code is stored."""
        self._catalog = catalog
        self._ownership = ownership
        self._bundles = bundles
        self._objects = objects
        self._examination = examination
        self._records = records
        self._artefact_key = artefact_key

    async def add_version(
        self,
        reference: ExtensionReference,
        content_hash: ContentHash,
        envelope: bytes,
        *,
        proof: str,
    ) -> tuple[ExtensionVersion, list[str]]:
        """Publishes a stored bundle; gives the version and warnings.

        Stopped anywhere on the way, it has changed nothing that a second attempt would stumble
        over: objects are named by what they are, and the version comes last.

        Args:
            reference: the entry to publish under.
            content_hash: of the uploaded bundle.
            envelope: the DSSE envelope beside it; empty when unsigned.
            proof: by an owner of the entry's publisher.

        Raises:
            RegistryEntryNotFoundError: there is no such entry.
            PublisherNotFoundError: its publisher was never registered.
            PublisherNotOwnedError: no owner proved to want it.
            BundleNotFoundError: nothing was uploaded under this hash.
            BundleInvalidError: the archive is not well-formed, or holds a private key.
            ManifestInvalidError: the manifest has faults, or is another extension's.
            ExtensionVersionAlreadyExistsError: the version was published before.
            ComponentInvalidError: the program is not a component of our world.
            BundleUntrustedError: the signature does not satisfy the policy.
            CompilerUnavailableError: whether it compiles could not be found out now.
        """
        if len(envelope) > MAX_ENVELOPE_BYTES:
            raise ArgumentInvalidError(
                f"A signature envelope has at most {MAX_ENVELOPE_BYTES} bytes.",
                what="signature_envelope",
            )
        entry = await self._catalog.find_entry(reference)
        if entry is None:
            raise RegistryEntryNotFoundError
        owner_key_id = await self._ownership.prove(
            proof,
            publisher=entry.publisher,
            action=PublisherAction.ADD_VERSION,
            about=content_hash,
        )
        submission = Submission(
            entry=entry,
            content_hash=content_hash,
            packed=await self._bundles.fetch(content_hash),
            envelope=envelope,
        )
        findings = await self._examination.examine(submission)
        if findings.refusal is not None:
            await self._records.keep_attempt(
                entry.registry_id, submission.said_version, content_hash, findings.checks
            )
            raise findings.refusal
        code_key, objects = self._objects_of(submission)

        async def put_objects() -> None:
            for key, data in objects.items():
                if await self._objects.size(key) is None:
                    await self._objects.put_if_absent(key, data)

        await put_objects()  # the large part of it before anybody has to wait for us
        new = _new_version(submission, findings, owner_key_id, code_key)
        version = await self._catalog.add_version(new, put_objects=put_objects)
        return version, list(findings.warnings)

    async def attempts(
        self, reference: ExtensionReference, version: str
    ) -> Sequence[PublishAttempt]:
        """Publishes that were refused, newest first; empty text means of any version.

        Raises:
            RegistryEntryNotFoundError: there is no such entry.
        """
        entry = await self._catalog.find_entry(reference)
        if entry is None:
            raise RegistryEntryNotFoundError
        if "\0" in version:
            return []
        return await self._records.attempts(entry.registry_id, version, limit=_MAX_ATTEMPTS)

    def _objects_of(self, submission: Submission) -> tuple[str, Mapping[str, bytes]]:
        """All that must be stored before the version is there; and the key of the code, if any."""
        code_key = ""
        content_hash = submission.content_hash
        objects = {bundle_key(content_hash): submission.packed}
        if submission.envelope:
            objects[signature_key(content_hash, _envelope_digest(submission))] = submission.envelope
        if self._artefact_key is not None and submission.compiled is not None:
            fingerprint = submission.compiled.fingerprint
            code_key = self._artefact_key.object_key(content_hash, fingerprint)
            objects[code_key] = self._artefact_key.seal(
                submission.compiled.code, content_hash=content_hash, fingerprint=fingerprint
            )
        return code_key, objects


def _envelope_digest(submission: Submission) -> str:
    return hashlib.sha256(submission.envelope).hexdigest() if submission.envelope else ""


def _new_version(
    submission: Submission, findings: Findings, owner_key_id: str, code_key: str
) -> NewVersion:
    manifest, signature = submission.manifest, submission.signature
    assert manifest is not None, "nothing was refused"
    assert signature is not None, "nothing was refused"
    compiled = submission.compiled
    return NewVersion(
        registry_id=submission.entry.registry_id,
        publisher=submission.entry.publisher,
        owner_key_id=owner_key_id,
        version=manifest.version,
        runtime=manifest.runtime,
        main_entry=manifest.ui.entry if manifest.ui else COMPONENT_PATH,
        manifest_json=submission.manifest_json,
        endpoints=[each.model_dump(exclude_unset=True) for each in manifest.api.endpoints],
        ui=manifest.ui.model_dump(by_alias=True, exclude_none=True) if manifest.ui else None,
        capabilities=manifest.capabilities,
        bundle=StoredBundle(
            content_hash=submission.content_hash,
            size_bytes=len(submission.packed),
            storage_key=bundle_key(submission.content_hash),
            signature_digest=_envelope_digest(submission),
            signature=signature,
        ),
        checks=findings.checks,
        sbom=submission.sbom,
        precompiled={compiled.fingerprint: code_key} if compiled and code_key else {},
    )
