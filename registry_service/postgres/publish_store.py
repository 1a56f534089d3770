"""Refused publishes and similar names in PostgreSQL."""

import json
from collections.abc import Sequence
from typing import Final

import asyncpg

from registry_service.catalog.model import CheckResult, PublishCheck
from registry_service.catalog.publish_records import PublishAttempt, SimilarName
from registry_service.postgres.database import Connection, Database
from shared.identifiers import ContentHash, RegistryId, parse_content_hash

KEPT_ATTEMPTS: Final = 100
_MAX_SIMILAR: Final = 500


class PostgresPublishRecords:
    """A `PublishRecords`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def similar_names(self, publisher: str, name: str) -> Sequence[SimilarName]:
        """See `PublishRecords.similar_names`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select publisher, name, skeleton = name_skeleton($1 || $2) as looks_alike
                from extension_registry
                where publisher <> $1 and (name = $2 or skeleton = name_skeleton($1 || $2))
                order by looks_alike desc, publisher
                limit $3
                """,
                publisher, name, _MAX_SIMILAR,
            )  # fmt: skip

        rows = await self._database.run(work, repeatable=True)
        return [SimilarName(row["publisher"], row["name"], row["looks_alike"]) for row in rows]

    async def keep_attempt(
        self,
        registry_id: RegistryId,
        version: str,
        content_hash: ContentHash,
        checks: Sequence[PublishCheck],
    ) -> None:
        """See `PublishRecords.keep_attempt`."""

        async def work(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(
                    """
                    insert into extension_publish_attempt
                      (registry_id, version, content_hash, checks)
                    values ($1, $2, $3, $4)
                    """,
                    registry_id, version, content_hash, checks_json(checks),
                )  # fmt: skip
                await connection.execute(
                    """
                    delete from extension_publish_attempt
                    where registry_id = $1 and id < (
                      select id from extension_publish_attempt
                      where registry_id = $1 order by id desc offset $2 limit 1)
                    """,
                    registry_id, KEPT_ATTEMPTS - 1,
                )  # fmt: skip

        await self._database.run(work, repeatable=True)

    async def attempts(
        self, registry_id: RegistryId, version: str, *, limit: int
    ) -> Sequence[PublishAttempt]:
        """See `PublishRecords.attempts`."""

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                select version, content_hash, attempted_at, checks
                from extension_publish_attempt
                where registry_id = $1 and ($2 = '' or version = $2)
                order by id desc limit $3
                """,
                registry_id, version, limit,
            )  # fmt: skip

        return [
            PublishAttempt(
                row["version"],
                parse_content_hash(row["content_hash"]),
                row["attempted_at"],
                checks_of(row["checks"]),
            )
            for row in await self._database.run(work, repeatable=True)
        ]


def checks_json(checks: Sequence[PublishCheck]) -> str:
    """Checks, as the `checks` columns hold them."""
    return json.dumps([[check.name, check.result.value, check.detail] for check in checks])


def checks_of(text: str) -> tuple[PublishCheck, ...]:
    """What a `checks` column holds."""
    return tuple(
        PublishCheck(name, CheckResult(result), detail) for name, result, detail in json.loads(text)
    )
