"""Which stored bundles are referred to, and the lock between publishing and deleting one."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from registry_service.catalog.garbage import BundleUse, Standing
from registry_service.postgres.database import Connection, Database
from shared.identifiers import ContentHash, parse_content_hash

_USES: Final = """
select h.content_hash,
       coalesce(array_agg(b.signature) filter (where b.signature <> ''), '{}') as envelopes,
       count(b.id) > 0 as is_referenced,
       coalesce(max(u.uploaded_at) <= now() - $2::interval, false) as is_settled
from unnest($1::text[]) as h (content_hash)
left join extension_bundle b on b.content_hash = h.content_hash
left join extension_upload u on u.content_hash = h.content_hash
group by h.content_hash
"""


class PostgresBundleReferences:
    """A `BundleReferences`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def note_upload(self, content_hash: ContentHash) -> None:
        """See `BundleReferences.note_upload`."""

        async def work(connection: Connection) -> None:
            async with connection.transaction():
                await keep_bundle(connection, content_hash)
                await connection.execute(
                    """
                    insert into extension_upload (content_hash) values ($1)
                    on conflict (content_hash) do update set uploaded_at = now()
                    """,
                    content_hash,
                )

        await self._database.run(work, repeatable=True)

    async def uses(
        self, content_hashes: Sequence[ContentHash], *, grace: timedelta
    ) -> Mapping[ContentHash, BundleUse]:
        """See `BundleReferences.uses`."""

        async def work(connection: Connection) -> Mapping[ContentHash, BundleUse]:
            await connection.execute(
                """
                insert into extension_upload (content_hash)
                select h from unnest($1::text[]) as h
                where not exists (select from extension_bundle b where b.content_hash = h)
                on conflict (content_hash) do nothing
                """,
                list(content_hashes),
            )
            return await _uses(connection, content_hashes, grace)

        return await self._database.run(work, repeatable=True)

    async def while_settled(
        self,
        content_hash: ContentHash,
        work: Callable[[BundleUse], Awaitable[None]],
        *,
        grace: timedelta,
    ) -> None:
        """See `BundleReferences.while_settled`."""

        async def locked(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(
                    "select pg_advisory_xact_lock(hashtextextended($1, 0))", content_hash
                )
                uses = await _uses(connection, [content_hash], grace)
                await work(uses[content_hash])
                await connection.execute(
                    """
                    delete from extension_upload
                    where content_hash = $1 and uploaded_at <= now() - $2::interval
                    """,
                    content_hash, grace,
                )  # fmt: skip

        await self._database.run(locked, repeatable=False)


async def keep_bundle(connection: Connection, content_hash: ContentHash) -> None:
    """Keeps a bundle's objects from being deleted until the transaction ends."""
    await connection.execute(
        "select pg_advisory_xact_lock_shared(hashtextextended($1, 0))", content_hash
    )


async def _uses(
    connection: Connection, content_hashes: Sequence[ContentHash], grace: timedelta
) -> Mapping[ContentHash, BundleUse]:
    rows = await connection.fetch(_USES, list(content_hashes), grace)
    return {
        parse_content_hash(row["content_hash"]): BundleUse(
            Standing.REFERENCED
            if row["is_referenced"]
            else Standing.GARBAGE
            if row["is_settled"]
            else Standing.RECENT,
            frozenset(row["envelopes"]),
        )
        for row in rows
    }
