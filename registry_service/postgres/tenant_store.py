"""The tenants that there are, in PostgreSQL."""

import uuid
from collections.abc import Sequence

import asyncpg

from registry_service.postgres.database import Connection, Database
from shared.identifiers import TenantId


class PostgresTenantStore:
    """A `TenantStore` over a table of ids, which a trigger keeps."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_tenants(self, *, after: TenantId | None, limit: int) -> Sequence[TenantId]:
        """See `TenantStore.list_tenants`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                "select id from extension_tenant where id > $1 order by id limit $2",
                after or uuid.UUID(int=0), limit,
            )  # fmt: skip

        rows = await self._database.run(work, repeatable=True)
        return [TenantId(row["id"]) for row in rows]
