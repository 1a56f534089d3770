"""Which version of an entry is its latest: kept in the entry's row, by whoever holds its lock."""

from registry_service.catalog.precedence import latest_of
from registry_service.postgres.database import Connection
from shared.identifiers import RegistryId


async def lock_entry(connection: Connection, registry_id: RegistryId) -> tuple[str, str]:
    """Publisher and name of an entry, which nobody else changes until the transaction ends."""
    row = await connection.fetchrow(
        "select publisher, name from extension_registry where id = $1 for no key update",
        registry_id,
    )
    assert row is not None, "entries are never deleted"
    return row["publisher"], row["name"]


async def move_latest(connection: Connection, registry_id: RegistryId) -> None:
    """Writes what the latest version is now: the highest release that can still be installed."""
    rows = await connection.fetch(
        """
        select version from extension_version
        where registry_id = $1 and status in ('published', 'deprecated')
        """,
        registry_id,
    )
    await connection.execute(
        "update extension_registry set latest_version = $2, updated_at = now() where id = $1",
        registry_id, latest_of(row["version"] for row in rows),
    )  # fmt: skip
