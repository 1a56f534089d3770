"""The catalogue in PostgreSQL. It belongs to no tenant."""

from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from registry_service.audit.model import AuditEntry, owner_actor
from registry_service.catalog.model import (
    EntryFilter,
    ExtensionVersion,
    NewVersion,
    RegistryEntry,
    VersionStatus,
)
from registry_service.catalog.reference import ExtensionReference
from registry_service.postgres.audit_store import append_event
from registry_service.postgres.bundle_references import keep_bundle
from registry_service.postgres.catalog_rows import SELECT_VERSION, entry_of, version_of
from registry_service.postgres.database import Connection, Database
from registry_service.postgres.latest_version import lock_entry, move_latest
from registry_service.postgres.publisher_store import insist_on_owner
from registry_service.postgres.version_writing import insert_version, resolve_version
from shared.errors import (
    PublisherNotOwnedError,
    RegistryEntryExistsError,
)
from shared.identifiers import RegistryId


class PostgresCatalogStore:
    """A `CatalogStore`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def create_entry(
        self,
        *,
        publisher: str,
        name: str,
        display_name: str,
        description: str,
        owner_key_id: str,
    ) -> RegistryEntry:
        """See `CatalogStore.create_entry`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            async with connection.transaction():
                await insist_on_owner(connection, publisher, owner_key_id)
                row = await connection.fetchrow(
                    """
                    insert into extension_registry (publisher, name, display_name, description)
                    values ($1, $2, $3, $4)
                    on conflict (publisher, name) do nothing
                    returning *
                    """,
                    publisher, name, display_name, description,
                )  # fmt: skip
                if row is not None:
                    await append_event(
                        connection,
                        AuditEntry(
                            actor=owner_actor(owner_key_id), action="entry.created",
                            about=f"{publisher}.{name}", detail={"registry_id": str(row["id"])},
                        ),
                    )  # fmt: skip
                return row

        row = await self._database.run(work, repeatable=False)
        if row is None:
            raise RegistryEntryExistsError
        return entry_of(row)

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
        return entry_of(row) if row else None

    async def list_entries(
        self, wanted: EntryFilter, *, after: tuple[str, str] | None, limit: int
    ) -> Sequence[RegistryEntry]:
        """See `CatalogStore.list_entries`."""
        publisher, name = after or ("", "")
        status = wanted.status
        statuses = [status.value] if status else None
        if status is VersionStatus.PUBLISHED:
            statuses = [VersionStatus.PUBLISHED.value, VersionStatus.DEPRECATED.value]

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select r.* from extension_registry r
                left join extension_version v
                  on v.registry_id = r.id and v.version = r.latest_version
                where ($1 = '' or r.publisher = $1)
                  and ($2 = '' or strpos(lower(r.name), lower($2)) > 0
                       or strpos(lower(r.display_name), lower($2)) > 0
                       or strpos(lower(r.description), lower($2)) > 0)
                  and ($3 = '' or v.runtime = $3)
                  and ($4 = '' or v.capabilities ? $4)
                  and ($5::text[] is null or exists (
                    select from extension_version s
                    where s.registry_id = r.id and s.status = any ($5)))
                  and (r.publisher, r.name) > ($6, $7)
                order by r.publisher, r.name
                limit $8
                """,
                wanted.publisher, wanted.text, wanted.runtime, wanted.capability, statuses,
                publisher, name, limit,
            )  # fmt: skip

        return [entry_of(row) for row in await self._database.run(work, repeatable=True)]

    async def add_version(
        self, new: NewVersion, *, put_objects: Callable[[], Awaitable[None]]
    ) -> ExtensionVersion:
        """See `CatalogStore.add_version`. One transaction; the entry's row is locked meanwhile."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            async with connection.transaction():
                publisher, name = await lock_entry(connection, new.registry_id)
                if publisher != new.publisher:
                    raise PublisherNotOwnedError(
                        f'The extension belongs to "{publisher}" by now: publish it as theirs.'
                    )
                await insist_on_owner(connection, publisher, new.owner_key_id)
                await keep_bundle(connection, new.bundle.content_hash)
                await put_objects()
                version = await resolve_version(connection, new)
                version_id = await insert_version(connection, new, version)
                await move_latest(connection, new.registry_id)
                await append_event(
                    connection,
                    AuditEntry(
                        actor=owner_actor(new.owner_key_id), action="version.published",
                        about=f"{publisher}.{name}",
                        detail={
                            "version": version,
                            "content_hash": new.bundle.content_hash,
                            "signature": new.bundle.signature.result.value,
                        },
                    ),
                )  # fmt: skip
                return await connection.fetchrow(SELECT_VERSION + "where v.id = $1", version_id)

        row = await self._database.run(work, repeatable=False)
        assert row is not None, "a row that this transaction wrote"
        return version_of(row)

    async def find_version(
        self, reference: ExtensionReference, version: str
    ) -> ExtensionVersion | None:
        """See `CatalogStore.find_version`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                SELECT_VERSION
                + """
                where (r.id = $1 or (r.publisher = $2 and r.name = $3))
                  and v.version = coalesce(nullif($4, ''), r.latest_version)
                """,
                reference.id, reference.publisher, reference.name, version,
            )  # fmt: skip

        row = await self._database.run(work, repeatable=True)
        return version_of(row) if row else None

    async def list_versions(self, registry_id: RegistryId) -> Sequence[ExtensionVersion]:
        """See `CatalogStore.list_versions`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(SELECT_VERSION + "where v.registry_id = $1", registry_id)

        return [version_of(row) for row in await self._database.run(work, repeatable=True)]
