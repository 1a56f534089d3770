"""Offers of extensions in PostgreSQL."""

from datetime import datetime

import asyncpg

from registry_service.audit.model import AuditEntry, owner_actor
from registry_service.catalog.model import RegistryEntry
from registry_service.postgres.audit_store import append_event
from registry_service.postgres.catalog_rows import entry_of
from registry_service.postgres.database import Connection, Database
from registry_service.postgres.latest_version import lock_entry
from registry_service.postgres.publisher_store import insist_on_owner
from shared.errors import PublisherNotOwnedError, RegistryEntryExistsError, TransferNotFoundError
from shared.identifiers import RegistryId


class PostgresTransferStore:
    """A `TransferStore`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def offer(
        self, entry: RegistryEntry, to_publisher: str, *, by: str, expires_at: datetime
    ) -> None:
        """See `TransferStore.offer`."""

        async def work(connection: Connection) -> None:
            async with connection.transaction():
                publisher, name = await lock_entry(connection, entry.registry_id)
                if publisher != entry.publisher:
                    raise PublisherNotOwnedError(f'The extension belongs to "{publisher}" by now.')
                await insist_on_owner(connection, publisher, by)
                await connection.execute(
                    """
                    insert into extension_transfer (registry_id, to_publisher, expires_at)
                    values ($1, $2, $3)
                    on conflict (registry_id) do update
                    set to_publisher = excluded.to_publisher, offered_at = now(),
                        expires_at = excluded.expires_at
                    """,
                    entry.registry_id, to_publisher, expires_at,
                )  # fmt: skip
                await append_event(
                    connection,
                    AuditEntry(
                        actor=owner_actor(by), action="extension.offered",
                        about=f"{publisher}.{name}",
                        detail={"to": to_publisher, "expires_at": expires_at.isoformat()},
                    ),
                )  # fmt: skip

        await self._database.run(work, repeatable=False)

    async def accept(
        self, registry_id: RegistryId, to_publisher: str, *, by: str, now: datetime
    ) -> RegistryEntry:
        """See `TransferStore.accept`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            try:
                async with connection.transaction():
                    giver, name = await lock_entry(connection, registry_id)
                    await insist_on_owner(connection, to_publisher, by)
                    offered = await connection.fetchval(
                        """
                        delete from extension_transfer
                        where registry_id = $1 and to_publisher = $2 and expires_at > $3
                        returning true
                        """,
                        registry_id, to_publisher, now,
                    )  # fmt: skip
                    if offered is None:
                        raise TransferNotFoundError
                    # what was signed under the old name goes on being judged by it
                    await connection.execute(
                        "update extension_version set former_publisher = $2 "
                        "where registry_id = $1 and former_publisher is null",
                        registry_id, giver,
                    )  # fmt: skip
                    row = await connection.fetchrow(
                        "update extension_registry set publisher = $2, updated_at = now() "
                        "where id = $1 returning *",
                        registry_id, to_publisher,
                    )  # fmt: skip
                    for action, about, detail in (
                        ("extension.given", f"{giver}.{name}", {"to": to_publisher}),
                        ("extension.received", f"{to_publisher}.{name}", {"from": giver}),
                    ):
                        await append_event(
                            connection,
                            AuditEntry(
                                actor=owner_actor(by), action=action, about=about, detail=detail
                            ),
                        )
                    return row
            except asyncpg.UniqueViolationError:
                raise RegistryEntryExistsError(
                    f'"{to_publisher}" has another extension of this name.'
                ) from None

        row = await self._database.run(work, repeatable=False)
        assert row is not None, "a row that this transaction held the lock of"
        return entry_of(row)
