"""The sealed secrets of installs in PostgreSQL."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from registry_service.catalog.reference import ExtensionReference
from registry_service.postgres.database import Connection, Database
from registry_service.secrets.model import Sealed, SecretInfo, SecretPlace, StoredSecret
from shared.errors import ArgumentInvalidError, InstallNotFoundError
from shared.identifiers import InstallId, TenantId

_FIND: Final = """
select i.id from tenant_extension_install i
join extension_registry r on r.id = i.registry_id
where i.tenant_id = $1 and (i.id = $2 or i.registry_id = $2 or (r.publisher = $3 and r.name = $4))
"""
_FIRST: Final = uuid.UUID(int=0)


class PostgresSecretStore:
    """A `SecretStore`. Every query says the tenant, and row-level security says it again."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def versions(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> tuple[InstallId, Mapping[str, int]]:
        """See `SecretStore.versions`."""

        async def work(connection: Connection) -> tuple[InstallId, list[asyncpg.Record]]:
            install_id = await _find(connection, tenant_id, reference)
            return install_id, await connection.fetch(
                "select key, version from tenant_extension_install_secrets "
                "where tenant_id = $1 and install_id = $2",
                tenant_id, install_id,
            )  # fmt: skip

        install_id, rows = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return install_id, {row["key"]: row["version"] for row in rows}

    async def put(
        self,
        tenant_id: TenantId,
        install_id: InstallId,
        secrets: Sequence[StoredSecret],
        *,
        actor: str,
        at_most: int,
    ) -> Sequence[SecretInfo] | None:
        """See `SecretStore.put`. The install's row is locked, so writers follow one another."""

        async def work(connection: Connection) -> list[SecretInfo] | None:
            lock = "select id from tenant_extension_install where tenant_id = $1 and id = $2"
            if not await connection.fetch(lock + " for no key update", tenant_id, install_id):
                raise InstallNotFoundError
            rows = await connection.fetch(
                "select key, version from tenant_extension_install_secrets "
                "where tenant_id = $1 and install_id = $2",
                tenant_id, install_id,
            )  # fmt: skip
            stored = {row["key"]: row["version"] for row in rows}
            given = {secret.place.key: secret.place.version for secret in secrets}
            if any(stored.get(key, 0) + 1 != version for key, version in given.items()):
                return None
            if len({*stored, *given}) > at_most:
                raise ArgumentInvalidError(
                    f"An install has at most {at_most} secrets.", what="secrets"
                )
            return [await _upsert(connection, secret, actor) for secret in secrets]

        # a second try finds the versions of the first one, and gives None
        return await self._database.for_tenant(tenant_id, work, repeatable=True)

    async def delete(self, tenant_id: TenantId, reference: ExtensionReference, key: str) -> bool:
        """See `SecretStore.delete`."""

        async def work(connection: Connection) -> bool:
            install_id = await _find(connection, tenant_id, reference)
            done = await connection.execute(
                "delete from tenant_extension_install_secrets "
                "where tenant_id = $1 and install_id = $2 and key = $3",
                tenant_id, install_id, key,
            )  # fmt: skip
            return not done.endswith(" 0")

        return await self._database.for_tenant(tenant_id, work, repeatable=True)

    async def list_secrets(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> Sequence[SecretInfo]:
        """See `SecretStore.list_secrets`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            install_id = await _find(connection, tenant_id, reference)
            return await connection.fetch(
                """
                select key, version, updated_at, expires_at, updated_by
                from tenant_extension_install_secrets
                where tenant_id = $1 and install_id = $2
                order by key
                """,
                tenant_id, install_id,
            )  # fmt: skip

        rows = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return [SecretInfo(**dict(row)) for row in rows]

    async def get(
        self, tenant_id: TenantId, install_id: InstallId, key: str
    ) -> StoredSecret | None:
        """See `SecretStore.get`."""

        async def work(connection: Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(
                "select * from secret_get($1, $2, $3)", tenant_id, install_id, key
            )

        row = await self._database.run(work, repeatable=True)
        return _stored(row, tenant_id, install_id, key) if row else None

    async def list_keys(self, tenant_id: TenantId, install_id: InstallId) -> Sequence[str]:
        """See `SecretStore.list_keys`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select s.key from tenant_extension_install_secrets s
                join tenant_extension_install i
                  on i.tenant_id = s.tenant_id and i.id = s.install_id
                where s.tenant_id = $1 and s.install_id = $2 and i.status = 'enabled'
                  and (s.expires_at is null or s.expires_at > clock_timestamp())
                order by s.key
                """,
                tenant_id, install_id,
            )  # fmt: skip

        rows = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return [row["key"] for row in rows]

    async def all_of(
        self, tenant_id: TenantId, *, after: tuple[InstallId, str] | None, limit: int
    ) -> Sequence[StoredSecret]:
        """See `SecretStore.all_of`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select install_id, key, version, ciphertext, algorithm, key_id, expires_at
                from tenant_extension_install_secrets
                where tenant_id = $1 and (install_id, key) > ($2, $3)
                order by install_id, key
                limit $4
                """,
                tenant_id, *(after or (_FIRST, "")), limit,
            )  # fmt: skip

        rows = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return [_stored(row, tenant_id, InstallId(row["install_id"]), row["key"]) for row in rows]

    async def reseal(self, secret: StoredSecret, sealed: Sealed) -> bool:
        """See `SecretStore.reseal`."""
        place = secret.place

        async def work(connection: Connection) -> str:
            return await connection.execute(
                """
                update tenant_extension_install_secrets
                set ciphertext = $5, algorithm = $6, key_id = $7
                where tenant_id = $1 and install_id = $2 and key = $3 and version = $4
                  and ciphertext = $8
                """,
                place.tenant_id, place.install_id, place.key, place.version,
                sealed.ciphertext, sealed.algorithm, sealed.key_id, secret.sealed.ciphertext,
            )  # fmt: skip

        done = await self._database.for_tenant(place.tenant_id, work, repeatable=True)
        return not done.endswith(" 0")


async def _find(
    connection: Connection, tenant_id: TenantId, reference: ExtensionReference
) -> InstallId:
    found: InstallId | None = await connection.fetchval(
        _FIND, tenant_id, reference.id, reference.publisher, reference.name
    )
    if found is None:
        raise InstallNotFoundError
    return found


async def _upsert(connection: Connection, secret: StoredSecret, actor: str) -> SecretInfo:
    place, sealed = secret.place, secret.sealed
    row = await connection.fetchrow(
        """
        insert into tenant_extension_install_secrets
          (tenant_id, install_id, key, version, ciphertext, algorithm, key_id, expires_at,
           updated_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (tenant_id, install_id, key) do update
          set version = excluded.version, ciphertext = excluded.ciphertext,
              algorithm = excluded.algorithm, key_id = excluded.key_id,
              expires_at = excluded.expires_at, updated_at = now(),
              updated_by = excluded.updated_by
        returning key, version, updated_at, expires_at, updated_by
        """,
        place.tenant_id, place.install_id, place.key, place.version, sealed.ciphertext,
        sealed.algorithm, sealed.key_id, secret.expires_at, actor,
    )  # fmt: skip
    assert row is not None, "an upsert gives its row"
    return SecretInfo(**dict(row))


def _stored(
    row: asyncpg.Record, tenant_id: TenantId, install_id: InstallId, key: str
) -> StoredSecret:
    return StoredSecret(
        place=SecretPlace(
            tenant_id=tenant_id, install_id=install_id, key=key, version=row["version"]
        ),
        sealed=Sealed(
            algorithm=row["algorithm"], key_id=row["key_id"], ciphertext=row["ciphertext"]
        ),
        expires_at=row["expires_at"],
    )
