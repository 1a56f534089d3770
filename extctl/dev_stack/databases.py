"""The database of a stack, and an embedded PostgreSQL that provides one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extctl.dev_stack.postgres import EmbeddedPostgres, start_postgres
from extctl.dev_stack.postgres_home import EmbeddedPostgresError
from extctl.dev_stack.processes import Tell

DATABASE: Final = "extension_host"
APPLICATION_ROLE: Final = "extension_app"
_LOOK_EVERY_SECONDS: Final = 0.5
_AFTER_FAILURE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """How the registry reaches its database."""

    application_url: str
    """As the role that owns nothing."""
    owner_url: str
    """As the role that migrates."""


@asynccontextmanager
async def embedded_database(directory: Path, *, tell: Tell) -> AsyncIterator[Database]:
    """Runs PostgreSQL in `directory`, and brings it back if it dies.

    Raises:
        EmbeddedPostgresError: it cannot be started.
    """
    # It blocks the loop for its second of starting: it must be started by the main thread.
    with start_postgres(directory) as postgres:
        postgres.create_database(DATABASE)
        watcher = asyncio.create_task(_watch(postgres, tell), name="watch postgres")
        try:
            yield Database(
                application_url=postgres.dsn(DATABASE, user=APPLICATION_ROLE),
                owner_url=postgres.admin_dsn(DATABASE),
            )
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)


async def _watch(postgres: EmbeddedPostgres, tell: Tell) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        if (code := postgres.process.poll()) is not None:
            tell(f"postgres ended with {code}; starting it again")
            try:
                postgres.restart()
            except EmbeddedPostgresError as error:
                tell(str(error))
                await asyncio.sleep(_AFTER_FAILURE_SECONDS)
