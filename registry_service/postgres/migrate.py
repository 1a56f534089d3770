"""Brings a database's schema up to date: numbered SQL files, each applied once, in order.

Safe to run from many processes at once: an advisory lock lets one work and the others find
nothing to do. A file that was edited after it was applied, a gap in the numbers, or a database
that is ahead of this program stop it before it changes anything.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg

from registry_service.postgres.connecting import explained_connecting

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

CONNECT_SECONDS: Final = 10.0
MIGRATIONS: Final = "registry_service.postgres.migrations"
_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql", re.ASCII)
_LOCK: Final = 0x65787465  # "exte": one key for all migrations of this project
_LEDGER: Final = """
create table if not exists schema_migrations (
  number     integer primary key,
  name       text not null,
  sha256     text not null,
  applied_at timestamptz not null default now()
);
"""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"


class MigrationError(Exception):
    """The schema cannot be brought up to date; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Of the file's text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations() -> Sequence[Migration]:
    """The files of this program, in order.

    Raises:
        MigrationError: their numbers are not 1, 2, 3 …
    """
    found = [
        Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
        for file in files(MIGRATIONS).iterdir()
        if (match := _FILE_NAME.fullmatch(file.name))
    ]
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError("The numbers of the migration files have a gap or a double.")
    return found


async def migrate(dsn: str, migrations: Sequence[Migration] | None = None) -> Sequence[str]:
    """Applies what is missing, each file in a transaction of its own.

    Args:
        dsn: connects as the owner of the schema, who may create roles.
        migrations: by default the files of this program.

    Returns:
        The names of the files that were applied.

    Raises:
        MigrationError: see the module; or a file failed and was rolled back.
        DatabaseUnreachableError: the database cannot be connected to.
    """
    migrations = load_migrations() if migrations is None else migrations
    with explained_connecting("REGISTRY_MIGRATION_DATABASE_URL"):
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)  # ends with the session
        await connection.execute(_LEDGER)
        pending = _pending(migrations, await _applied(connection))
        for migration in pending:
            await _apply(connection, migration)
        return [migration.name for migration in pending]
    except asyncpg.PostgresError as error:
        raise MigrationError(f"PostgreSQL refused: {error.args[0]} ({error.sqlstate}).") from None
    finally:
        await connection.close()


async def check_schema(connection: Connection) -> None:
    """Proves that the schema is exactly the one that this program was written for.

    Raises:
        MigrationError: it is older, newer or different.
    """
    try:
        applied = await _applied(connection)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        applied = {}
    if pending := _pending(load_migrations(), applied):
        raise MigrationError(
            f"The database lacks {len(pending)} migrations: run `python -m registry_service "
            "migrate`, or set REGISTRY_MIGRATION_DATABASE_URL."
        )


async def _applied(connection: Connection) -> Mapping[int, str]:
    rows = await connection.fetch("select number, sha256 from schema_migrations")
    return {row["number"]: row["sha256"] for row in rows}


def _pending(migrations: Sequence[Migration], applied: Mapping[int, str]) -> Sequence[Migration]:
    known = {migration.number: migration for migration in migrations}
    for number, sha256 in sorted(applied.items()):
        if number not in known:
            raise MigrationError(
                f"The database has migration {number}, this program ends at {len(known)}: "
                "run the newer program."
            )
        if known[number].sha256 != sha256:
            raise MigrationError(
                f"{known[number].name} was edited after it was applied: restore it, and put the "
                "change into a new file."
            )
    if sorted(applied) != list(range(1, len(applied) + 1)):
        raise MigrationError("The database skipped a migration; restore it from a backup.")
    return migrations[len(applied) :]


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into schema_migrations (number, name, sha256) values ($1, $2, $3)",
                migration.number, migration.name, migration.sha256,
            )  # fmt: skip
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"{migration.name} failed and was rolled back: {error.sqlstate} {error.args[0]}"
        ) from None
