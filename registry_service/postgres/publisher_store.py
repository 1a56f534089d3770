"""Publishers in PostgreSQL."""

from datetime import datetime

from registry_service.audit.model import AuditEntry, owner_actor
from registry_service.postgres.audit_store import append_event
from registry_service.postgres.database import Connection, Database
from registry_service.publishers.model import MAX_OWNERS, Publisher, PublisherOwner
from shared.errors import (
    ArgumentInvalidError,
    LastOwnerError,
    PublisherExistsError,
    PublisherNotFoundError,
    PublisherNotOwnedError,
)
from shared.tokens.keys import PublicKey
from shared.tokens.publisher_proof import PublisherProof


class PostgresPublisherStore:
    """A `PublisherStore`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def create(self, publisher: str, owner: PublicKey, *, actor: str) -> Publisher:
        """See `PublisherStore.create`."""

        async def work(connection: Connection) -> Publisher:
            async with connection.transaction():
                added = await connection.fetchval(
                    "insert into extension_publisher (publisher) values ($1) "
                    "on conflict do nothing returning publisher",
                    publisher,
                )  # fmt: skip
                if added is None:
                    raise PublisherExistsError(publisher=publisher)
                await _insert_owner(connection, publisher, owner)
                await append_event(
                    connection,
                    AuditEntry(
                        actor=actor, action="publisher.created", about=publisher,
                        detail={"owner": owner.key_id},
                    ),
                )  # fmt: skip
                return await _read(connection, publisher)

        return await self._database.run(work, repeatable=False)

    async def find(self, publisher: str) -> Publisher | None:
        """See `PublisherStore.find`."""

        async def work(connection: Connection) -> Publisher | None:
            try:
                return await _read(connection, publisher)
            except PublisherNotFoundError:
                return None

        return await self._database.run(work, repeatable=True)

    async def add_owner(self, publisher: str, owner: PublicKey, *, by: str) -> Publisher:
        """See `PublisherStore.add_owner`."""

        async def work(connection: Connection) -> Publisher:
            async with connection.transaction():
                known = await _lock(connection, publisher, by)
                if known.owner(owner.key_id):
                    return known
                if len(known.owners) >= MAX_OWNERS:
                    raise ArgumentInvalidError(
                        f"A publisher has at most {MAX_OWNERS} owners; remove one first.",
                        what="owner_jwk",
                    )
                await _insert_owner(connection, publisher, owner)
                await _tell(connection, publisher, "publisher.owner_added", by, owner.key_id)
                return await _read(connection, publisher)

        return await self._database.run(work, repeatable=True)

    async def remove_owner(self, publisher: str, key_id: str, *, by: str) -> Publisher:
        """See `PublisherStore.remove_owner`."""

        async def work(connection: Connection) -> Publisher:
            async with connection.transaction():
                known = await _lock(connection, publisher, by)
                if known.owner(key_id) is None:
                    return known
                if len(known.owners) == 1:
                    raise LastOwnerError(
                        "A publisher cannot lose its last owner: add another one first."
                    )
                await connection.execute(
                    "delete from extension_publisher_owner where publisher = $1 and key_id = $2",
                    publisher, key_id,
                )  # fmt: skip
                await _tell(connection, publisher, "publisher.owner_removed", by, key_id)
                return await _read(connection, publisher)

        return await self._database.run(work, repeatable=False)

    async def spend(self, proof: PublisherProof, *, forget_before: datetime) -> bool:
        """See `PublisherStore.spend`."""

        async def work(connection: Connection) -> bool:
            await connection.execute(
                "delete from extension_spent_proof where expires_at < $1", forget_before
            )
            spent = await connection.fetchval(
                "insert into extension_spent_proof (key_id, proof_id, expires_at) "
                "values ($1, $2, $3) on conflict do nothing returning true",
                proof.key_id, proof.proof_id, proof.expires_at,
            )  # fmt: skip
            return spent is True

        return await self._database.run(work, repeatable=False)


async def insist_on_owner(connection: Connection, publisher: str, key_id: str) -> None:
    """Holds the owners of a publisher until the transaction ends, and insists on this one.

    What was proven when a call began may take a while; an owner who was removed meanwhile may no
    longer write.

    Raises:
        PublisherNotOwnedError: it is no owner any more.
    """
    await connection.execute(
        "select from extension_publisher where publisher = $1 for share", publisher
    )
    found = await connection.fetchval(
        "select true from extension_publisher_owner where publisher = $1 and key_id = $2",
        publisher, key_id,
    )  # fmt: skip
    if found is None:
        raise _not_owned(publisher)


async def _lock(connection: Connection, publisher: str, by: str) -> Publisher:
    """The publisher as it is until the transaction ends, if `by` is one of its owners.

    The lock is the update: whoever comes next waits, and then sees what was left.
    """
    await connection.execute(
        "update extension_publisher set updated_at = now() where publisher = $1", publisher
    )
    known = await _read(connection, publisher)
    if known.owner(by) is None:
        raise _not_owned(publisher)
    return known


def _not_owned(publisher: str) -> PublisherNotOwnedError:
    return PublisherNotOwnedError(f'The key that signed is no owner of "{publisher}" any more.')


async def _insert_owner(connection: Connection, publisher: str, owner: PublicKey) -> None:
    await connection.execute(
        "insert into extension_publisher_owner (publisher, key_id, public_jwk) values ($1, $2, $3)",
        publisher, owner.key_id, owner.jwk,
    )  # fmt: skip


async def _tell(connection: Connection, publisher: str, action: str, by: str, owner: str) -> None:
    await append_event(
        connection,
        AuditEntry(actor=owner_actor(by), action=action, about=publisher, detail={"owner": owner}),
    )


async def _read(connection: Connection, publisher: str) -> Publisher:
    rows = await connection.fetch(
        """
        select p.publisher, p.created_at, o.public_jwk, o.added_at
        from extension_publisher p join extension_publisher_owner o using (publisher)
        where publisher = $1
        order by o.added_at, o.key_id
        """,
        publisher,
    )
    if not rows:
        raise PublisherNotFoundError
    return Publisher(
        publisher=publisher,
        owners=tuple(
            PublisherOwner(PublicKey.from_jwk(row["public_jwk"]), row["added_at"]) for row in rows
        ),
        created_at=rows[0]["created_at"],
    )
