"""The catalogue in PostgreSQL. It belongs to no tenant."""

import json
import uuid
from collections.abc import Sequence
from typing import Final

import asyncpg

from registry_service.catalog.model import (
    Deprecation,
    Endpoint,
    EntryFilter,
    ExtensionVersion,
    NewVersion,
    RegistryEntry,
    StoredBundle,
)
from registry_service.catalog.precedence import latest_of
from registry_service.catalog.reference import ExtensionReference
from registry_service.postgres.database import Connection, Database
from shared.errors import ExtensionVersionAlreadyExistsError, RegistryEntryExistsError
from shared.identifiers import RegistryId, VersionId, parse_content_hash
from shared.trust.verification import SignatureVerification, VerificationResult

_VERSION: Final = """
select v.id, v.registry_id, r.publisher, r.name, v.version, v.runtime, v.manifest,
       v.api_endpoints, v.capabilities, v.deprecation_reason, v.deprecated_at, v.created_at,
       b.content_hash, b.signature, b.signature_result, b.signature_detail, b.signature_key_id,
       b.storage_url, b.size_bytes
from extension_version v
join extension_registry r on r.id = v.registry_id
join extension_bundle b on b.version_id = v.id
"""


class PostgresCatalogStore:
    """A `CatalogStore`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def create_entry(
        self, *, publisher: str, name: str, display_name: str, description: str
    ) -> RegistryEntry:
        """See `CatalogStore.create_entry`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                """
                insert into extension_registry (publisher, name, display_name, description)
                values ($1, $2, $3, $4)
                on conflict (publisher, name) do nothing
                returning *
                """,
                publisher, name, display_name, description,
            )  # fmt: skip

        row = await self._database.run(work, repeatable=False)
        if row is None:
            raise RegistryEntryExistsError
        return _entry(row)

    async def find_entry(self, reference: ExtensionReference) -> RegistryEntry | None:
        """See `CatalogStore.find_entry`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                """
                select * from extension_registry
                where id = $1 or (publisher = $2 and name = $3)
                """,
                reference.id, reference.publisher, reference.name,
            )  # fmt: skip

        row = await self._database.run(work, repeatable=True)
        return _entry(row) if row else None

    async def list_entries(
        self, wanted: EntryFilter, *, after: tuple[str, str] | None, limit: int
    ) -> Sequence[RegistryEntry]:
        """See `CatalogStore.list_entries`."""
        publisher, name = after or ("", "")

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select * from extension_registry
                where ($1 = '' or publisher = $1)
                  and ($2 = '' or strpos(lower(name), lower($2)) > 0
                       or strpos(lower(display_name), lower($2)) > 0
                       or strpos(lower(description), lower($2)) > 0)
                  and (publisher, name) > ($3, $4)
                order by publisher, name
                limit $5
                """,
                wanted.publisher, wanted.text, publisher, name, limit,
            )  # fmt: skip

        return [_entry(row) for row in await self._database.run(work, repeatable=True)]

    async def add_version(self, new: NewVersion) -> ExtensionVersion:
        """See `CatalogStore.add_version`. One transaction; the entry's row is locked meanwhile."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            async with connection.transaction():
                await connection.execute(
                    "select from extension_registry where id = $1 for no key update",
                    new.registry_id,
                )
                version_id = await _insert_version(connection, new)
                if version_id is None:
                    raise ExtensionVersionAlreadyExistsError
                await _insert_bundle(connection, version_id, new.bundle)
                await _move_latest(connection, new.registry_id)
                return await connection.fetchrow(_VERSION + "where v.id = $1", version_id)

        row = await self._database.run(work, repeatable=False)
        assert row is not None, "a row that this transaction wrote"
        return _version(row)

    async def find_version(
        self, reference: ExtensionReference, version: str
    ) -> ExtensionVersion | None:
        """See `CatalogStore.find_version`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                _VERSION
                + """
                where (r.id = $1 or (r.publisher = $2 and r.name = $3))
                  and v.version = coalesce(nullif($4, ''), r.latest_version)
                """,
                reference.id, reference.publisher, reference.name, version,
            )  # fmt: skip

        row = await self._database.run(work, repeatable=True)
        return _version(row) if row else None

    async def list_versions(self, registry_id: RegistryId) -> Sequence[ExtensionVersion]:
        """See `CatalogStore.list_versions`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(_VERSION + "where v.registry_id = $1", registry_id)

        return [_version(row) for row in await self._database.run(work, repeatable=True)]

    async def deprecate(self, version_id: VersionId, reason: str) -> None:
        """See `CatalogStore.deprecate`."""

        async def work(connection: Connection) -> None:
            await connection.execute(
                """
                update extension_version
                set status = 'deprecated', deprecation_reason = $2,
                    deprecated_at = coalesce(deprecated_at, now())
                where id = $1
                """,
                version_id, reason,
            )  # fmt: skip

        await self._database.run(work, repeatable=True)


async def _insert_version(connection: Connection, new: NewVersion) -> uuid.UUID | None:
    endpoints = [
        {"method": each.method, "path": each.path, "handler": each.handler}
        for each in new.endpoints
    ]
    version_id: uuid.UUID | None = await connection.fetchval(
        """
        insert into extension_version
          (registry_id, version, runtime, main_entry, manifest, api, ui, capabilities)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (registry_id, version) do nothing
        returning id
        """,
        new.registry_id, new.version, new.runtime, new.main_entry, new.manifest_json,
        json.dumps({"endpoints": endpoints}),
        json.dumps(new.ui) if new.ui is not None else None,
        json.dumps(list(new.capabilities)),
    )  # fmt: skip
    return version_id


async def _insert_bundle(
    connection: Connection, version_id: uuid.UUID, bundle: StoredBundle
) -> None:
    await connection.execute(
        """
        insert into extension_bundle
          (version_id, content_hash, signature, signature_result, signature_detail,
           signature_key_id, storage_url, size_bytes)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        version_id, bundle.content_hash, bundle.signature_digest, bundle.signature.result.value,
        bundle.signature.detail, bundle.signature.key_id, bundle.storage_key, bundle.size_bytes,
    )  # fmt: skip


async def _move_latest(connection: Connection, registry_id: RegistryId) -> None:
    rows = await connection.fetch(
        "select version from extension_version where registry_id = $1", registry_id
    )
    await connection.execute(
        "update extension_registry set latest_version = $2, updated_at = now() where id = $1",
        registry_id, latest_of(row["version"] for row in rows),
    )  # fmt: skip


def _entry(row: asyncpg.Record) -> RegistryEntry:
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


def _version(row: asyncpg.Record) -> ExtensionVersion:
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
            ),
        ),
        deprecation=Deprecation(row["deprecation_reason"], deprecated_at)
        if deprecated_at
        else None,
        created_at=row["created_at"],
    )


def endpoints_of(text: str) -> tuple[Endpoint, ...]:
    """The endpoints that the `api_endpoints` column holds."""
    return tuple(
        Endpoint(each["method"], each["path"], each["handler"]) for each in json.loads(text)
    )
