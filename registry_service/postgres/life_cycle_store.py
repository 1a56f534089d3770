"""What becomes of versions, in PostgreSQL: each change with its audit event, or not at all."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from registry_service.audit.model import AuditEntry
from registry_service.catalog.model import QuarantineReceipt
from registry_service.postgres.audit_store import append_event
from registry_service.postgres.database import Connection, Database
from registry_service.postgres.latest_version import lock_entry, move_latest
from shared.identifiers import RegistryId, VersionId, parse_content_hash

INSTALL_CHANGES: Final = "install_changes"
"""The channel on which watchers of installs hear that a version was stopped, or may run again."""

_RECEIPT: Final = """
select q.*, r.publisher, r.name, v.version, b.content_hash, c.last_started_at,
       array(select sr.publisher || '.' || sr.name || ' ' || sv.version
             from extension_bundle sb
             join extension_version sv on sv.id = sb.version_id
             join extension_registry sr on sr.id = sv.registry_id
             where sb.content_hash = b.content_hash and sv.id <> v.id
             order by 1) as same_content
from extension_quarantine q
join extension_version v on v.id = q.version_id
join extension_registry r on r.id = v.registry_id
join extension_bundle b on b.version_id = v.id
cross join version_census(v.id) c
"""

Details = Mapping[str, str]


class PostgresLifeCycleStore:
    """A `LifeCycleStore`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def deprecate(
        self, version_id: VersionId, *, reason: str, replacement: str, actor: str
    ) -> None:
        """See `LifeCycleStore.deprecate`."""
        await self._change(
            version_id,
            """
            update extension_version
            set deprecation_reason = $2, deprecation_replacement = $3,
                deprecated_at = coalesce(deprecated_at, now())
            where id = $1 and (deprecated_at is null
              or (deprecation_reason, deprecation_replacement) is distinct from ($2, $3))
            """,
            reason, replacement,
            actor=actor, action="version.deprecated",
            detail={"reason": reason, "replacement": replacement},
        )  # fmt: skip

    async def undeprecate(self, version_id: VersionId, *, actor: str) -> None:
        """See `LifeCycleStore.undeprecate`."""
        await self._change(
            version_id,
            """
            update extension_version
            set deprecation_reason = '', deprecation_replacement = '', deprecated_at = null
            where id = $1 and deprecated_at is not null
            """,
            actor=actor, action="version.undeprecated", detail={},
        )  # fmt: skip

    async def yank(self, version_id: VersionId, *, reason: str, actor: str) -> None:
        """See `LifeCycleStore.yank`."""
        await self._change(
            version_id,
            """
            update extension_version set yanked_at = now(), yank_reason = $2, yanked_by = $3
            where id = $1 and yanked_at is null
            """,
            reason, actor,
            actor=actor, action="version.yanked", detail={"reason": reason},
        )  # fmt: skip

    async def unyank(self, version_id: VersionId, *, actor: str) -> None:
        """See `LifeCycleStore.unyank`."""
        await self._change(
            version_id,
            """
            update extension_version set yanked_at = null, yank_reason = '', yanked_by = ''
            where id = $1 and yanked_at is not null
            """,
            actor=actor, action="version.unyanked", detail={},
        )  # fmt: skip

    async def quarantine(
        self, version_id: VersionId, *, reason: str, actor: str, at: datetime
    ) -> QuarantineReceipt:
        """See `LifeCycleStore.quarantine`."""

        async def stop(connection: Connection) -> None:
            await connection.execute(
                """
                insert into extension_quarantine
                  (version_id, reason, actor, quarantined_at, installs, enabled_installs)
                select $1, $2, $3, $4, installs, enabled_installs from version_census($1)
                """,
                version_id, reason, actor, at,
            )  # fmt: skip
            await _tell_watchers(connection, version_id, quarantined=True)

        await self._change(
            version_id,
            """
            update extension_version
            set quarantined_at = $4, quarantine_reason = $2, quarantined_by = $3
            where id = $1 and quarantined_at is null
            """,
            reason, actor, at,
            actor=actor, action="version.quarantined", detail={"reason": reason}, then=stop,
        )  # fmt: skip

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                # lifted a moment ago by somebody else: it is still the receipt of what was asked
                _RECEIPT + "where q.version_id = $1 order by q.quarantined_at desc limit 1",
                version_id,
            )

        row = await self._database.run(work, repeatable=True)
        assert row is not None, "receipts are never deleted"
        return _receipt(row)

    async def lift_quarantine(self, version_id: VersionId, *, actor: str, at: datetime) -> None:
        """See `LifeCycleStore.lift_quarantine`."""

        async def lift(connection: Connection) -> None:
            await connection.execute(
                """
                update extension_quarantine set lifted_at = $2, lifted_by = $3
                where version_id = $1 and lifted_at is null
                """,
                version_id, at, actor,
            )  # fmt: skip
            await _tell_watchers(connection, version_id, quarantined=False)

        await self._change(
            version_id,
            """
            update extension_version
            set quarantined_at = null, quarantine_reason = '', quarantined_by = ''
            where id = $1 and quarantined_at is not null
            """,
            actor=actor, action="version.quarantine_lifted", detail={}, then=lift,
        )  # fmt: skip

    async def find_receipt(self, receipt_id: UUID) -> QuarantineReceipt | None:
        """See `LifeCycleStore.find_receipt`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(_RECEIPT + "where q.id = $1", receipt_id)

        row = await self._database.run(work, repeatable=True)
        return _receipt(row) if row else None

    async def _change(
        self,
        version_id: VersionId,
        update: str,
        *values: object,
        actor: str,
        action: str,
        detail: Details,
        then: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> None:
        """Runs `update`, whose $1 is the version; if it changed a row, all that follows from it."""

        async def work(connection: Connection) -> None:
            async with connection.transaction():
                row = await connection.fetchrow(
                    "select registry_id, version from extension_version where id = $1", version_id
                )
                assert row is not None, "versions are never deleted"
                registry_id = RegistryId(row["registry_id"])
                publisher, name = await lock_entry(connection, registry_id)
                if await connection.execute(update, version_id, *values) == "UPDATE 0":
                    return
                await move_latest(connection, registry_id)
                if then is not None:
                    await then(connection)
                await append_event(
                    connection,
                    AuditEntry(
                        actor=actor, action=action, about=f"{publisher}.{name}",
                        detail={"version": row["version"], **detail},
                    ),
                )  # fmt: skip

        await self._database.run(work, repeatable=True)


async def _tell_watchers(
    connection: Connection, version_id: VersionId, *, quarantined: bool
) -> None:
    """Tells, when the transaction is committed, what gateways and runners must forget."""
    content_hash = await connection.fetchval(
        "select content_hash from extension_bundle where version_id = $1", version_id
    )
    told = {
        "version_id": str(version_id), "content_hash": content_hash, "quarantined": quarantined
    }  # fmt: skip
    await connection.execute("select pg_notify($1, $2)", INSTALL_CHANGES, json.dumps(told))


def _receipt(row: asyncpg.Record) -> QuarantineReceipt:
    return QuarantineReceipt(
        receipt_id=row["id"],
        version_id=VersionId(row["version_id"]),
        publisher=row["publisher"],
        name=row["name"],
        version=row["version"],
        content_hash=parse_content_hash(row["content_hash"]),
        reason=row["reason"],
        actor=row["actor"],
        quarantined_at=row["quarantined_at"],
        lifted_at=row["lifted_at"],
        installs=row["installs"],
        enabled_installs=row["enabled_installs"],
        last_execution_at=row["last_started_at"],
        same_content=tuple(row["same_content"]),
    )
