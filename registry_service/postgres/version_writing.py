"""Writing a new version and what hangs on it, inside the transaction that holds its entry."""

import json
import uuid

from registry_service.catalog.model import NewVersion
from registry_service.postgres.component_store import insert_components
from registry_service.postgres.database import Connection
from registry_service.postgres.publish_store import checks_json
from shared.bundles.version_pattern import is_version_pattern, patch_within
from shared.errors import ExtensionVersionAlreadyExistsError


async def resolve_version(connection: Connection, new: NewVersion) -> str:
    """The version to write: for `X.Y.*` the patch after the highest release of X.Y.

    The caller holds the entry's lock, so of several publishers each finds the one before it.
    """
    if not is_version_pattern(new.version):
        return new.version
    rows = await connection.fetch(
        "select version from extension_version where registry_id = $1", new.registry_id
    )
    patches = [patch_within(new.version, row["version"]) for row in rows]
    highest = max((patch for patch in patches if patch is not None), default=-1)
    return f"{new.version.removesuffix('*')}{highest + 1}"


async def insert_version(connection: Connection, new: NewVersion, version: str) -> uuid.UUID:
    """Writes the version, its bundle and its bill of materials.

    Raises:
        ExtensionVersionAlreadyExistsError: the entry has this version.
    """
    version_id: uuid.UUID | None = await connection.fetchval(
        """
        insert into extension_version
          (registry_id, version, runtime, main_entry, manifest, api, ui, capabilities, checks,
           sbom_format)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (registry_id, version) do nothing
        returning id
        """,
        new.registry_id, version, new.runtime, new.main_entry, new.manifest_json,
        json.dumps({"endpoints": list(new.endpoints)}),
        json.dumps(new.ui) if new.ui is not None else None,
        json.dumps(list(new.capabilities)), checks_json(new.checks),
        new.sbom.format.value if new.sbom else "",
    )  # fmt: skip
    if version_id is None:
        raise ExtensionVersionAlreadyExistsError
    bundle = new.bundle
    await connection.execute(
        """
        insert into extension_bundle
          (version_id, content_hash, signature, signature_result, signature_detail,
           signature_key_id, signature_seen_at, storage_url, size_bytes, precompiled)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        version_id, bundle.content_hash, bundle.signature_digest, bundle.signature.result.value,
        bundle.signature.detail, bundle.signature.key_id, bundle.signature.seen_at,
        bundle.storage_key, bundle.size_bytes,
        json.dumps(dict(new.precompiled)),
    )  # fmt: skip
    if new.sbom is not None:
        await insert_components(connection, version_id, new.sbom.components)
    return version_id
