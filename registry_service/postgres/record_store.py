"""The records of installs in PostgreSQL; each call but the listing is one round trip."""

from collections.abc import Sequence

import asyncpg

from registry_service.postgres.database import Connection, Database
from registry_service.storage.model import Record, StorageLimits
from shared.errors import (
    InstallNotFoundError,
    RevisionMismatchError,
    StorageEntryNotFoundError,
    StorageLimitExceededError,
)
from shared.identifiers import InstallId, TenantId

MAX_REVISION = 2**63 - 1


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
        return Record(namespace, key, row["value"], row["revision"]) if row else None

    async def put(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        namespace: str,
        key: str,
        value: bytes,
        *,
        if_revision: int | None,
        limits: StorageLimits,
    ) -> Record:
        """See `RecordStore.put`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                "select * from storage_put($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                tenant_id, install_id, namespace, key, value, _bounded(if_revision),
                limits.total_bytes, limits.keys_per_namespace, limits.namespaces,
            )  # fmt: skip

        # with a revision the second try would find what the first one wrote
        row = await self._database.run(work, repeatable=if_revision is None)
        match _outcome(row):
            case "ok", revision:
                return Record(namespace, key, value, revision)
            case "bytes", _:
                raise StorageLimitExceededError(
                    f"The install may keep {limits.total_bytes} bytes.", limit="bytes"
                )
            case "keys", _:
                raise StorageLimitExceededError(
                    f"A namespace may have {limits.keys_per_namespace} keys.", limit="keys"
                )
            case "namespaces", _:
                raise StorageLimitExceededError(
                    f"The install may have {limits.namespaces} namespaces.", limit="namespaces"
                )
            case outcome, revision:
                raise _refusal(outcome, revision)

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
        outcome, revision = _outcome(row)
        if outcome != "ok":
            raise _refusal(outcome, revision)

    async def list_records(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        namespace: str,
        *,
        after_key: str,
        limit: int,
    ) -> Sequence[Record]:
        """See `RecordStore.list_records`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select key, value, revision from ext_storage_records
                where tenant_id = $1 and install_id = $2 and namespace = $3 and key > $4
                order by key
                limit $5
                """,
                tenant_id, install_id, namespace, after_key, limit,
            )  # fmt: skip

        rows = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return [Record(namespace, row["key"], row["value"], row["revision"]) for row in rows]


def _outcome(row: asyncpg.Record | None) -> tuple[str, int]:
    assert row is not None, "the function always gives one row"
    return row["outcome"], row["revision"]


def _refusal(outcome: str, revision: int) -> Exception:
    match outcome:
        case "install_gone":
            return InstallNotFoundError()
        case "not_found":
            return StorageEntryNotFoundError()
        case "revision_mismatch":
            return RevisionMismatchError(
                f"The stored revision is {revision}." if revision else "There is no such record."
            )
        case _:
            return AssertionError(f"the function gave an unknown outcome: {outcome}")


def _bounded(revision: int | None) -> int | None:
    """No stored revision is larger, so the answer is the same."""
    return None if revision is None else min(revision, MAX_REVISION)
