"""The audit log in PostgreSQL: a table that the application role may only append to."""

import json
from collections.abc import Sequence

import asyncpg

from registry_service.audit.model import AuditEntry, AuditEvent
from registry_service.postgres.database import Connection, Database


class PostgresAuditStore:
    """An `AuditStore`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_events(
        self, *, about: str, before: int | None, limit: int
    ) -> Sequence[AuditEvent]:
        """See `AuditStore.list_events`."""
        extensions = f"{about}.%" if about and "." not in about else about

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select * from extension_audit_event
                where ($1 = '' or about = $1 or about like $2)
                  and ($3::bigint is null or number < $3)
                order by number desc
                limit $4
                """,
                about, extensions, before, limit,
            )  # fmt: skip

        return [_event(row) for row in await self._database.run(work, repeatable=True)]


async def append_event(connection: Connection, entry: AuditEntry) -> None:
    """Writes an event in the transaction that is open."""
    await connection.execute(
        "insert into extension_audit_event (actor, action, about, detail) values ($1, $2, $3, $4)",
        entry.actor, entry.action, entry.about, json.dumps(dict(entry.detail)),
    )  # fmt: skip


def _event(row: asyncpg.Record) -> AuditEvent:
    return AuditEvent(
        number=row["number"],
        event_id=row["id"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        about=row["about"],
        detail_json=row["detail"],
    )
