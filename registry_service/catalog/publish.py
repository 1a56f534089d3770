"""Publishing a version: everything is checked, then the objects are written, then the row."""

import asyncio
import hashlib
from collections.abc import Mapping

from registry_service.catalog.bundles import Bundles
from registry_service.catalog.model import (
    Endpoint,
    ExtensionVersion,
    NewVersion,
    RegistryEntry,
    StoredBundle,
)
from registry_service.catalog.reference import ExtensionReference
from registry_service.catalog.signing import SignatureGate
from registry_service.catalog.store import CatalogStore
from registry_service.publishers.ownership import Ownership
from shared.bundles.component import check_component
from shared.bundles.layout import COMPONENT_PATH, MANIFEST_PATH, bundle_key, signature_key
from shared.bundles.manifest import Manifest, check_manifest_against_files, parse_manifest
from shared.bundles.store import BundleStore
from shared.errors import (
    ArgumentInvalidError,
    BundleInvalidError,
    ExtensionVersionAlreadyExistsError,
    Fault,
    ManifestInvalidError,
    RegistryEntryNotFoundError,
)
from shared.identifiers import ContentHash
from shared.tokens.publisher_proof import PublisherAction
from shared.trust.envelope import MAX_ENVELOPE_BYTES, SignedSubject


class Publisher:
    """Turns stored bundles into versions."""

    def __init__(
        self,
        *,
        catalog: CatalogStore,
        ownership: Ownership,
        bundles: Bundles,
        objects: BundleStore,
        gate: SignatureGate,
    ) -> None:
        self._catalog = catalog
        self._ownership = ownership
        self._bundles = bundles
        self._objects = objects
        self._gate = gate

    async def add_version(
        self,
        reference: ExtensionReference,
        content_hash: ContentHash,
        envelope: bytes,
        *,
        proof: str,
    ) -> tuple[ExtensionVersion, list[str]]:
        """Publishes a stored bundle; gives the version and warnings.

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
            ManifestInvalidError: the manifest has faults, or is another extension's.
            ExtensionVersionAlreadyExistsError: the version was published before.
            ComponentInvalidError: the program is not a component of our world.
            BundleUntrustedError: the signature does not satisfy the policy.
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
        data = await self._bundles.fetch(content_hash)
        files = await self._bundles.read(data)
        manifest, manifest_json, warnings = _manifest_of(files, entry)
        by_id = ExtensionReference(id=entry.registry_id)
        if await self._catalog.find_version(by_id, manifest.version) is not None:
            raise ExtensionVersionAlreadyExistsError
        await asyncio.to_thread(check_component, files[COMPONENT_PATH])  # there: checked above
        signature, signature_warnings = self._gate.judge(
            envelope or None,
            SignedSubject(
                content_hash=content_hash,
                publisher=manifest.publisher,
                name=manifest.name,
                version=manifest.version,
                runtime=manifest.runtime,
            ),
        )
        new = _new_version(
            entry, owner_key_id, manifest, manifest_json,
            StoredBundle(
                content_hash=content_hash,
                size_bytes=len(data),
                storage_key=bundle_key(content_hash),
                signature_digest=await self._store_envelope(content_hash, envelope),
                signature=signature,
            ),
        )  # fmt: skip
        return await self._catalog.add_version(new), [*warnings, *signature_warnings]

    async def _store_envelope(self, content_hash: ContentHash, envelope: bytes) -> str:
        if not envelope:
            return ""
        digest = hashlib.sha256(envelope).hexdigest()
        await self._objects.put_if_absent(signature_key(content_hash, digest), envelope)
        return digest


def _manifest_of(
    files: Mapping[str, bytes], entry: RegistryEntry
) -> tuple[Manifest, str, list[str]]:
    data = files.get(MANIFEST_PATH)
    if data is None:
        raise BundleInvalidError(f"The bundle has no {MANIFEST_PATH} at its root.")
    manifest, warnings = parse_manifest(data)
    check_manifest_against_files(manifest, files)
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
    return manifest, data.decode(), warnings


def _new_version(
    entry: RegistryEntry,
    owner_key_id: str,
    manifest: Manifest,
    manifest_json: str,
    bundle: StoredBundle,
) -> NewVersion:
    return NewVersion(
        registry_id=entry.registry_id,
        publisher=entry.publisher,
        owner_key_id=owner_key_id,
        version=manifest.version,
        runtime=manifest.runtime,
        main_entry=manifest.ui.entry if manifest.ui else COMPONENT_PATH,
        manifest_json=manifest_json,
        endpoints=[
            Endpoint(each.method, each.path, each.handler) for each in manifest.api.endpoints
        ],
        ui=manifest.ui.model_dump(by_alias=True, exclude_none=True) if manifest.ui else None,
        capabilities=manifest.capabilities,
        bundle=bundle,
    )
