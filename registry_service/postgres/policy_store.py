"""The policies of tenants in PostgreSQL."""

import asyncpg

from registry_service.policies.store import OwnPolicy
from registry_service.postgres.database import Connection, Database
from shared.identifiers import TenantId
from shared.trust.verification import SigningPolicy


class PostgresPolicyStore:
    """A `PolicyStore`. Every query says the tenant, and row-level security says it again."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def find(self, tenant_id: TenantId) -> OwnPolicy | None:
        """See `PolicyStore.find`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                "select * from tenant_policy where tenant_id = $1", tenant_id
            )

        row = await self._database.for_tenant(tenant_id, work, repeatable=True)
        if row is None:
            return None
        return OwnPolicy(SigningPolicy(row["signing_policy"]), row["set_by"], row["set_at"])

    async def put(self, tenant_id: TenantId, policy: OwnPolicy) -> None:
        """See `PolicyStore.put`."""

        async def work(connection: Connection) -> None:
            await connection.execute(
                """
                insert into tenant_policy (tenant_id, signing_policy, set_by, set_at)
                values ($1, $2, $3, $4)
                on conflict (tenant_id) do update
                  set signing_policy = $2, set_by = $3, set_at = $4
                """,
                tenant_id, policy.signing_policy.value, policy.set_by, policy.set_at,
            )  # fmt: skip

        await self._database.for_tenant(tenant_id, work, repeatable=True)

    async def remove(self, tenant_id: TenantId) -> None:
        """See `PolicyStore.remove`."""

        async def work(connection: Connection) -> None:
            await connection.execute("delete from tenant_policy where tenant_id = $1", tenant_id)

        await self._database.for_tenant(tenant_id, work, repeatable=True)
