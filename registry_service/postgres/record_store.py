"""The records of installs in PostgreSQL; each call but the export is one round trip."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import asyncpg

from registry_service.catalog.reference import ExtensionReference
from registry_service.postgres.database import Connection, Database
from registry_service.storage.model import Record, RecordWrite, StorageLimits
from shared.errors import (
    ExtensionError,
    InstallNotFoundError,
    RevisionMismatchError,
    StorageEntryNotFoundError,
    StorageLimitExceededError,
)
from shared.identifiers import InstallId, RegistryId, TenantId

MAX_REVISION: Final = 2**63 - 1
_LAST_CHARACTER: Final = "\U0010ffff"
_SURROGATES: Final = range(0xD800, 0xE000)


class PostgresRecordStore:
    """A `RecordStore` over functions that set the tenant themselves."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(
        self, tenant_id: TenantId, install_id: InstallId, namespace: str, key: str
    ) -> Record | None:
        """See `RecordStore.get`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                "select * from storage_get($1, $2, $3, $4)", tenant_id, install_id, namespace, key
            )

        row = await self._database.run(work, repeatable=True)
        if row is None:
            return None
        return Record(namespace, key, row["value"], row["revision"], row["expires_at"])

    async def put(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        namespace: str,
        writes: Sequence[RecordWrite],
        *,
        limits: StorageLimits,
    ) -> Sequence[Record]:
        """See `RecordStore.put`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                "select * from storage_put($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                tenant_id, install_id, namespace,
                [write.key for write in writes],
                [write.value for write in writes],
                [_bounded(write.if_revision) for write in writes],
                [write.ttl_seconds for write in writes],
                limits.total_bytes, limits.keys_per_namespace, limits.namespaces,
            )  # fmt: skip

        # with a revision the second try would find what the first one wrote
        repeatable = all(write.if_revision is None for write in writes)
        rows = await self._database.run(work, repeatable=repeatable)
        told = {row["key"]: row for row in rows}
        if (outcome := rows[0]["outcome"]) != "ok":
            raise _refusal(outcome, rows[0]["revision"], rows[0]["key"], limits)
        return [
            Record(
                namespace, write.key, write.value,
                told[write.key]["revision"], told[write.key]["expires_at"],
            )
            for write in writes
        ]  # fmt: skip

    async def delete(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        namespace: str,
        key: str,
        *,
        if_revision: int | None,
    ) -> None:
        """See `RecordStore.delete`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                "select * from storage_delete($1, $2, $3, $4, $5)",
                tenant_id, install_id, namespace, key, _bounded(if_revision),
            )  # fmt: skip

        # the second try would not find what the first one removed
        row = await self._database.run(work, repeatable=False)
        assert row is not None, "the function always gives one row"
        if row["outcome"] != "ok":
            raise _refusal(row["outcome"], row["revision"], key)

    async def list_records(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        namespace: str,
        *,
        after_key: str,
        key_prefix: str,
        limit: int,
    ) -> Sequence[Record]:
        """See `RecordStore.list_records`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                "select * from storage_list($1, $2, $3, $4, $5, $6, $7)",
                tenant_id, install_id, namespace, after_key, key_prefix, after_prefix(key_prefix),
                limit,
            )  # fmt: skip

        rows = await self._database.run(work, repeatable=True)
        return [
            Record(namespace, row["key"], row["value"], row["revision"], row["expires_at"])
            for row in rows
        ]

    async def export(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        *,
        after: tuple[str, str],
        limit: int,
    ) -> Sequence[Record]:
        """See `RecordStore.export`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            registry_id = await connection.fetchval(
                """
                select i.registry_id from tenant_extension_install i
                join extension_registry r on r.id = i.registry_id
                where i.tenant_id = $1
                  and (i.id = $2 or i.registry_id = $2 or (r.publisher = $3 and r.name = $4))
                """,
                tenant_id, reference.id, reference.publisher, reference.name,
            )  # fmt: skip
            if registry_id is None:
                raise InstallNotFoundError
            return await connection.fetch(
                """
                select namespace, key, value, revision, expires_at from ext_storage_records
                where tenant_id = $1 and registry_id = $2 and (namespace, key) > ($3, $4)
                  and (expires_at is null or expires_at > clock_timestamp())
                order by namespace, key
                limit $5
                """,
                tenant_id, registry_id, *after, limit,
            )  # fmt: skip

        rows = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return [Record(*row.values()) for row in rows]

    async def sweep(self, tenant_id: TenantId) -> int:
        """See `RecordStore.sweep`. Locks one install after the other, as writers do."""

        async def expired(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select distinct registry_id from ext_storage_records
                where tenant_id = $1 and expires_at <= clock_timestamp()
                """,
                tenant_id,
            )

        rows = await self._database.for_tenant(tenant_id, expired, repeatable=True)
        swept = 0
        for row in rows:
            work = partial(_sweep, tenant_id=tenant_id, registry_id=row["registry_id"])
            swept += await self._database.for_tenant(tenant_id, work, repeatable=True)
        return swept


async def _sweep(connection: Connection, *, tenant_id: TenantId, registry_id: RegistryId) -> int:
    await connection.execute(
        "select from tenant_extension_install where tenant_id = $1 and registry_id = $2 "
        "for no key update",
        tenant_id, registry_id,
    )  # fmt: skip
    swept: int = await connection.fetchval("select storage_sweep($1, $2)", tenant_id, registry_id)
    return swept


async def forget_records(
    connection: Connection, tenant_id: TenantId, registry_id: RegistryId
) -> bool:
    """Removes all records of a tenant's extension; gives whether there were any.

    Runs in the caller's transaction, which removed the install or holds its lock.
    """
    await connection.execute(
        "delete from ext_storage_usage where tenant_id = $1 and registry_id = $2",
        tenant_id, registry_id,
    )  # fmt: skip
    done = await connection.execute(
        "delete from ext_storage_records where tenant_id = $1 and registry_id = $2",
        tenant_id, registry_id,
    )  # fmt: skip
    return not done.endswith(" 0")


def after_prefix(prefix: str) -> str | None:
    """The first text, by code points, after all that begin with `prefix`; None: there is none."""
    kept = prefix.rstrip(_LAST_CHARACTER)
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    if following in _SURROGATES:  # these are no characters, and UTF-8 has none of them
        following = _SURROGATES.stop
    return kept[:-1] + chr(following)


def _refusal(
    outcome: str, revision: int, key: str, limits: StorageLimits | None = None
) -> ExtensionError:
    match outcome, limits:
        case "install_gone", _:
            return InstallNotFoundError()
        case "not_found", _:
            return StorageEntryNotFoundError()
        case "revision_mismatch", _:
            found = (
                f"The stored revision is {revision}." if revision else "There is no such record."
            )
            return RevisionMismatchError(found, key=key)
        case "bytes", StorageLimits(total_bytes=most):
            return StorageLimitExceededError(f"The install may keep {most} bytes.", limit=outcome)
        case "keys", StorageLimits(keys_per_namespace=most):
            return StorageLimitExceededError(f"A namespace may have {most} keys.", limit=outcome)
        case "namespaces", StorageLimits(namespaces=most):
            return StorageLimitExceededError(
                f"The install may have {most} namespaces.", limit=outcome
            )
    raise AssertionError(f"the function gave an unknown outcome: {outcome}")


def _bounded(revision: int | None) -> int | None:
    """No stored revision is larger, so the answer is the same."""
    return None if revision is None else min(revision, MAX_REVISION)
