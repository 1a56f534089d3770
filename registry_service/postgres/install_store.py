"""The installs of tenants in PostgreSQL."""

from collections.abc import Callable, Sequence
from typing import Final

import asyncpg

from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.model import (
    Change,
    InstallAction,
    InstallRevision,
    InstallTerms,
    TenantInstall,
)
from registry_service.postgres.database import Connection, Database
from registry_service.postgres.install_rows import (
    egress_column,
    grants_column,
    install_of,
    revision_of,
)
from registry_service.postgres.record_store import forget_records
from shared.errors import InstallNotFoundError
from shared.identifiers import InstallId, RegistryId, TenantId

_DETAIL: Final = "select * from tenant_install_detail where tenant_id = $1 and "
_NAMED: Final = "(id = $2 or registry_id = $2 or (publisher = $3 and name = $4))"
_REVISION: Final = """
select h.*, v.version from tenant_extension_install_revision h
join extension_version v on v.id = h.version_id
where h.tenant_id = $1 and h.install_id = $2 and """
_WRITE_REVISION: Final = """
insert into tenant_extension_install_revision
  (tenant_id, install_id, revision, actor, action, version_id, granted_caps, config, egress_rules,
   status)
select tenant_id, id, revision, $3, $4, version_id, granted_caps, config, egress_rules, status
from tenant_extension_install where tenant_id = $1 and id = $2
"""


class PostgresInstallStore:
    """An `InstallStore`. Every query says the tenant, and row-level security says it again."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(
        self, tenant_id: TenantId, registry_id: RegistryId, terms: InstallTerms, *, actor: str
    ) -> TenantInstall | None:
        """See `InstallStore.add`."""

        async def work(connection: Connection) -> TenantInstall | None:
            install_id = await connection.fetchval(
                """
                insert into tenant_extension_install
                  (tenant_id, registry_id, version_id, granted_caps, config, egress_rules, status)
                values ($1, $2, $3, $4, $5, $6, $7)
                on conflict (tenant_id, registry_id) do nothing
                returning id
                """,
                tenant_id, registry_id, *_columns(terms),
            )  # fmt: skip
            if install_id is None:
                return None
            await connection.execute(
                _WRITE_REVISION, tenant_id, install_id, actor, InstallAction.INSTALL.value
            )
            return await _read(connection, tenant_id, ExtensionReference(id=install_id))

        return await self._database.for_tenant(tenant_id, work, repeatable=True)

    async def change(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        decide: Callable[[TenantInstall], Change],
        *,
        actor: str,
    ) -> tuple[TenantInstall, bool]:
        """See `InstallStore.change`."""

        async def work(connection: Connection) -> tuple[TenantInstall, bool]:
            install_id = await _lock(connection, tenant_id, reference)
            by_id = ExtensionReference(id=install_id)
            current = await _read(connection, tenant_id, by_id) if install_id else None
            if current is None:
                raise InstallNotFoundError
            change = decide(current)
            if change.terms == current.terms:
                return current, False
            await connection.execute(
                """
                update tenant_extension_install
                set version_id = $3, granted_caps = $4, config = $5, egress_rules = $6,
                    status = $7, revision = revision + 1, updated_at = now()
                where tenant_id = $1 and id = $2
                """,
                tenant_id, install_id, *_columns(change.terms),
            )  # fmt: skip
            await connection.execute(
                _WRITE_REVISION, tenant_id, install_id, actor, change.action.value
            )
            changed = await _read(connection, tenant_id, by_id)
            assert changed is not None, "a row that this transaction holds the lock of"
            return changed, True

        return await self._database.for_tenant(tenant_id, work, repeatable=True)

    async def remove(
        self, tenant_id: TenantId, reference: ExtensionReference, *, keep_records: bool
    ) -> bool:
        """See `InstallStore.remove`. What refers to the row goes with it (cascade)."""

        async def work(connection: Connection) -> bool:
            install_id = await _lock(connection, tenant_id, reference)
            registry_id = await connection.fetchval(
                "delete from tenant_extension_install where tenant_id = $1 and id = $2 "
                "returning registry_id",
                tenant_id, install_id,
            )  # fmt: skip
            if registry_id is None:  # records that an earlier removal kept
                registry_id = await connection.fetchval(
                    "select id from extension_registry "
                    "where id = $1 or (publisher = $2 and name = $3)",
                    reference.id, reference.publisher, reference.name,
                )  # fmt: skip
            forgot = not keep_records and await forget_records(connection, tenant_id, registry_id)
            return install_id is not None or forgot

        return await self._database.for_tenant(tenant_id, work, repeatable=True)

    async def find(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> TenantInstall | None:
        """See `InstallStore.find`."""

        async def work(connection: Connection) -> TenantInstall | None:
            return await _read(connection, tenant_id, reference)

        return await self._database.for_tenant(tenant_id, work, repeatable=True)

    async def list_installs(
        self, tenant_id: TenantId, *, after: tuple[str, str] | None, limit: int
    ) -> Sequence[TenantInstall]:
        """See `InstallStore.list_installs`."""
        publisher, name = after or ("", "")

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                _DETAIL + "(publisher, name) > ($2, $3) order by publisher, name limit $4",
                tenant_id, publisher, name, limit,
            )  # fmt: skip

        rows = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return [install_of(row) for row in rows]

    async def find_revision(
        self, tenant_id: TenantId, install_id: InstallId, revision: int
    ) -> InstallRevision | None:
        """See `InstallStore.find_revision`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                _REVISION + "h.revision = $3", tenant_id, install_id, revision
            )

        row = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return revision_of(row) if row else None

    async def list_revisions(
        self, tenant_id: TenantId, install_id: InstallId, *, before: int | None, limit: int
    ) -> Sequence[InstallRevision]:
        """See `InstallStore.list_revisions`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                _REVISION
                + "($3::bigint is null or h.revision < $3) order by h.revision desc limit $4",
                tenant_id, install_id, before, limit,
            )  # fmt: skip

        rows = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return [revision_of(row) for row in rows]

    async def resolve(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> TenantInstall | None:
        """See `InstallStore.resolve`. The function sets the tenant: one round trip."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                "select * from resolve_install($1, $2, $3, $4)",
                tenant_id, reference.id, reference.publisher, reference.name,
            )  # fmt: skip

        row = await self._database.run(work, repeatable=True)
        return install_of(row) if row else None


async def _lock(
    connection: Connection, tenant_id: TenantId, reference: ExtensionReference
) -> InstallId | None:
    found: InstallId | None = await connection.fetchval(
        """
        select i.id from tenant_extension_install i
        join extension_registry r on r.id = i.registry_id
        where i.tenant_id = $1
          and (i.id = $2 or i.registry_id = $2 or (r.publisher = $3 and r.name = $4))
        for update of i
        """,
        tenant_id, reference.id, reference.publisher, reference.name,
    )  # fmt: skip
    return found


async def _read(
    connection: Connection, tenant_id: TenantId, reference: ExtensionReference
) -> TenantInstall | None:
    row = await connection.fetchrow(
        _DETAIL + _NAMED, tenant_id, reference.id, reference.publisher, reference.name
    )
    return install_of(row) if row else None


def _columns(terms: InstallTerms) -> tuple[object, ...]:
    return (
        terms.version_id,
        grants_column(terms.grants),
        terms.config_json,
        egress_column(terms.egress_rules),
        terms.status.value,
    )
