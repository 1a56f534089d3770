"""Rows of the catalogue's tables, as what the catalogue knows."""

import json
from datetime import datetime
from typing import Final

import asyncpg

from registry_service.catalog.model import (
    Deprecation,
    Endpoint,
    ExtensionVersion,
    RegistryEntry,
    Retraction,
    StoredBundle,
    VersionStatus,
)
from registry_service.postgres.publish_store import checks_of
from shared.identifiers import RegistryId, VersionId, parse_content_hash
from shared.trust.verification import SignatureVerification, VerificationResult

SELECT_VERSION: Final = """
select v.id, v.registry_id, r.publisher, r.name, v.version, v.runtime, v.manifest,
       v.api_endpoints, v.capabilities, v.status, v.deprecation_reason, v.deprecation_replacement,
       v.deprecated_at, v.yank_reason, v.yanked_at, v.yanked_by, v.quarantine_reason,
       v.quarantined_at, v.quarantined_by, v.checks, v.sbom_format, v.created_at,
       coalesce(v.former_publisher, r.publisher) as signed_publisher,
       b.content_hash, b.signature, b.signature_result, b.signature_detail, b.signature_key_id,
       b.signature_seen_at, b.storage_url, b.size_bytes
from extension_version v
join extension_registry r on r.id = v.registry_id
join extension_bundle b on b.version_id = v.id
"""


def entry_of(row: asyncpg.Record) -> RegistryEntry:
    """An entry, from all columns of its table."""
    return RegistryEntry(
        registry_id=RegistryId(row["id"]),
        publisher=row["publisher"],
        name=row["name"],
        display_name=row["display_name"],
        description=row["description"],
        latest_version=row["latest_version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def version_of(row: asyncpg.Record) -> ExtensionVersion:
    """A version, from what `SELECT_VERSION` selects."""
    deprecated_at = row["deprecated_at"]
    return ExtensionVersion(
        version_id=VersionId(row["id"]),
        registry_id=RegistryId(row["registry_id"]),
        publisher=row["publisher"],
        name=row["name"],
        version=row["version"],
        runtime=row["runtime"],
        manifest_json=row["manifest"],
        endpoints=endpoints_of(row["api_endpoints"]),
        capabilities=tuple(json.loads(row["capabilities"])),
        bundle=StoredBundle(
            content_hash=parse_content_hash(row["content_hash"]),
            size_bytes=row["size_bytes"],
            storage_key=row["storage_url"],
            signature_digest=row["signature"],
            signature=SignatureVerification(
                VerificationResult(row["signature_result"]),
                row["signature_detail"],
                row["signature_key_id"],
                seen_at=row["signature_seen_at"],
            ),
        ),
        signed_publisher=row["signed_publisher"],
        status=VersionStatus(row["status"]),
        deprecation=Deprecation(
            row["deprecation_reason"], deprecated_at, row["deprecation_replacement"]
        )
        if deprecated_at
        else None,
        yank=_retraction(row["yank_reason"], row["yanked_at"], row["yanked_by"]),
        quarantine=_retraction(
            row["quarantine_reason"], row["quarantined_at"], row["quarantined_by"]
        ),
        checks=checks_of(row["checks"]),
        sbom_format=row["sbom_format"],
        created_at=row["created_at"],
    )


def endpoints_of(text: str) -> tuple[Endpoint, ...]:
    """The endpoints that the `api_endpoints` column holds."""
    return tuple(
        Endpoint(each["method"], each["path"], each["handler"]) for each in json.loads(text)
    )


def _retraction(reason: str, at: datetime | None, actor: str) -> Retraction | None:
    return Retraction(reason, at, actor) if at else None
