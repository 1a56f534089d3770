"""Components of bills of materials in PostgreSQL."""

import uuid
from collections.abc import Sequence

import asyncpg

from registry_service.catalog.bills_of_materials import ComponentUse
from registry_service.postgres.database import Connection, Database
from shared.bundles.sbom import SbomComponent


class PostgresComponentStore:
    """A `ComponentStore`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def find_uses(
        self,
        component: str,
        component_version: str,
        *,
        after: Sequence[str] | None,
        limit: int,
    ) -> Sequence[ComponentUse]:
        """See `ComponentStore.find_uses`."""
        position = list(after) if after else [""] * 6

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select r.publisher, r.name, v.version, c.component, c.component_version,
                       c.package_url
                from extension_sbom_component c
                join extension_version v on v.id = c.version_id
                join extension_registry r on r.id = v.registry_id
                where (c.component = $1 or (c.package_url = $1 and c.package_url <> ''))
                  and ($2 = '' or c.component_version = $2)
                  and (r.publisher, r.name, v.version, c.component, c.component_version,
                       c.package_url) > ($3, $4, $5, $6, $7, $8)
                order by 1, 2, 3, 4, 5, 6
                limit $9
                """,
                component, component_version, *position, limit,
            )  # fmt: skip

        return [
            ComponentUse(*row.values()) for row in await self._database.run(work, repeatable=True)
        ]


async def insert_components(
    connection: Connection, version_id: uuid.UUID, components: Sequence[SbomComponent]
) -> None:
    """Writes what a version is made of."""
    await connection.execute(
        """
        insert into extension_sbom_component
          (version_id, component, component_version, package_url)
        select $1, * from unnest($2::text[], $3::text[], $4::text[])
        """,
        version_id,
        [each.name for each in components],
        [each.version for each in components],
        [each.package_url for each in components],
    )
