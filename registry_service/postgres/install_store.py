"""The installs of tenants in PostgreSQL."""

import json
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg

from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.model import InstallStatus, InstallTerms, TenantInstall
from registry_service.postgres.catalog_rows import endpoints_of
from registry_service.postgres.database import Connection, Database
from registry_service.postgres.record_store import forget_records
from shared.errors import InstallNotFoundError
from shared.identifiers import (
    InstallId,
    RegistryId,
    TenantId,
    VersionId,
    parse_content_hash,
)
from shared.trust.verification import SigningPolicy

_DETAIL: Final = "select * from tenant_install_detail where tenant_id = $1 and "
_NAMED: Final = "(id = $2 or registry_id = $2 or (publisher = $3 and name = $4))"


class PostgresInstallStore:
    """An `InstallStore`. Every query says the tenant, and row-level security says it again."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(
        self, tenant_id: TenantId, registry_id: RegistryId, terms: InstallTerms
    ) -> TenantInstall | None:
        """See `InstallStore.add`."""

        async def work(connection: Connection) -> TenantInstall | None:
            install_id = await connection.fetchval(
                """
                insert into tenant_extension_install
                  (tenant_id, registry_id, version_id, granted_caps, config, status)
                values ($1, $2, $3, $4, $5, $6)
                on conflict (tenant_id, registry_id) do nothing
                returning id
                """,
                tenant_id, registry_id, terms.version_id, _capabilities(terms),
                terms.config_json, terms.status.value,
            )  # fmt: skip
            if install_id is None:
                return None
            return await _read(connection, tenant_id, ExtensionReference(id=install_id))

        return await self._database.for_tenant(tenant_id, work, repeatable=True)

    async def change(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        decide: Callable[[TenantInstall], InstallTerms],
    ) -> tuple[TenantInstall, bool]:
        """See `InstallStore.change`."""

        async def work(connection: Connection) -> tuple[TenantInstall, bool]:
            install_id = await _lock(connection, tenant_id, reference)
            by_id = ExtensionReference(id=install_id)
            current = await _read(connection, tenant_id, by_id) if install_id else None
            if current is None:
                raise InstallNotFoundError
            terms = decide(current)
            if terms == current.terms:
                return current, False
            await connection.execute(
                """
                update tenant_extension_install
                set version_id = $3, granted_caps = $4, config = $5, status = $6,
                    revision = revision + 1, updated_at = now()
                where tenant_id = $1 and id = $2
                """,
                tenant_id, install_id, terms.version_id, _capabilities(terms),
                terms.config_json, terms.status.value,
            )  # fmt: skip
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
        return [_install(row) for row in rows]

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
        return _install(row) if row else None


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
    return _install(row) if row else None


def _capabilities(terms: InstallTerms) -> str:
    return json.dumps(sorted(terms.granted_capabilities))


def _install(row: asyncpg.Record) -> TenantInstall:
    return TenantInstall(
        tenant_id=TenantId(row["tenant_id"]),
        install_id=InstallId(row["id"]),
        registry_id=RegistryId(row["registry_id"]),
        publisher=row["publisher"],
        name=row["name"],
        version_id=VersionId(row["version_id"]),
        version=row["version"],
        runtime=row["runtime"],
        content_hash=parse_content_hash(row["content_hash"]),
        signature_digest=row["signature"],
        signed_publisher=row["signed_publisher"],
        signature_seen_at=row["signature_seen_at"],
        own_signing_policy=SigningPolicy(own) if (own := row["own_signing_policy"]) else None,
        endpoints=endpoints_of(row["api_endpoints"]),
        granted_capabilities=frozenset(json.loads(row["granted_caps"])),
        config_json=row["config"],
        status=InstallStatus(row["status"]),
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
