"""Connections to PostgreSQL that survive its restarts, and tell its faults without its data.

Everything that runs here runs as the application role. Work for one tenant runs inside
`for_tenant`; only the catalogue, which belongs to no tenant, and functions that set the tenant
themselves run outside.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import asyncpg
import structlog

from registry_service.postgres.connecting import explained_connecting
from registry_service.postgres.migrate import MigrationError, check_schema
from registry_service.postgres.tenant_scope import tenant_transaction
from shared.clock import Clock
from shared.errors import DeadlineExceededError, InternalError, RegistryUnavailableError
from shared.identifiers import TenantId

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

CONNECT_SECONDS: Final = 5.0
"""How long a call waits for a connection, over a restart of PostgreSQL too."""
STATEMENT_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.05

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Result = TypeVar("Result")

# InternalClientError: what asyncpg says when the server dies in the middle of an answer
_LOST: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InternalClientError,
)
_NOT_NOW: Final = (*_LOST, asyncpg.TooManyConnectionsError)

_log = structlog.get_logger(__name__)


class Database:
    """Runs work on pooled connections."""

    def __init__(self, *, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def run(
        self, work: Callable[[Connection], Awaitable[Result]], *, repeatable: bool
    ) -> Result:
        """Runs `work` on a connection.

        Args:
            work: may raise errors of its own; those of PostgreSQL become one of the below.
            repeatable: whether doing it twice is as good as once; it is then done once more when
                the connection is lost on the way.

        Raises:
            RegistryUnavailableError: PostgreSQL cannot be reached, or was lost on the way; work
                that is not repeatable may then have been done or not.
            DeadlineExceededError: a statement took too long.
            InternalError: PostgreSQL refused a statement; the log says which rule.
        """
        try:
            return await self._attempt(work)
        except _ConnectionLostError:
            if not repeatable:
                raise RegistryUnavailableError(
                    "The database was lost while this was being done; look whether it was."
                ) from None
        await self._pool.expire_connections()
        try:
            return await self._attempt(work)
        except _ConnectionLostError:
            raise RegistryUnavailableError from None

    async def for_tenant(
        self,
        tenant_id: TenantId,
        work: Callable[[Connection], Awaitable[Result]],
        *,
        repeatable: bool,
    ) -> Result:
        """Runs `work` in one transaction that sees and writes nothing but the tenant's rows.

        Raises: as `run`.
        """

        async def scoped(connection: Connection) -> Result:
            async with tenant_transaction(connection, tenant_id):
                return await work(connection)

        return await self.run(scoped, repeatable=repeatable)

    async def _attempt(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        connection = await self._acquire()
        try:
            return await work(connection)
        except TimeoutError:
            raise DeadlineExceededError from None
        except _LOST:
            if not _is_gone(connection):
                connection.terminate()  # what asyncpg thinks of its state cannot be trusted
            raise _ConnectionLostError from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if _is_gone(connection):
                raise _ConnectionLostError from None
            raise _explained(error) from None
        finally:
            await self._pool.release(connection)

    async def _acquire(self) -> Connection:
        deadline = self._clock.monotonic() + CONNECT_SECONDS
        while True:
            try:
                return await self._pool.acquire(timeout=CONNECT_SECONDS)
            except (*_NOT_NOW, TimeoutError) as error:
                if self._clock.monotonic() >= deadline:
                    _log.error("database unreachable", fault=type(error).__name__)
                    raise RegistryUnavailableError from None
            await asyncio.sleep(_PAUSE_SECONDS)


class _ConnectionLostError(Exception):
    """The connection broke; nobody knows how far the server came."""


def _is_gone(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # it was lost, and the pool has taken it back
        return True


def _explained(error: asyncpg.PostgresError | asyncpg.InterfaceError) -> InternalError:
    # never the error's text: its details repeat the rows and parameters that caused it
    _log.error(
        "database fault",
        fault=type(error).__name__,
        sqlstate=getattr(error, "sqlstate", None),
        table=getattr(error, "table_name", None),
        constraint=getattr(error, "constraint_name", None),
    )
    return InternalError()


@asynccontextmanager
async def open_database(dsn: str, *, max_connections: int, clock: Clock) -> AsyncIterator[Database]:
    """Opens the pool and refuses a role or a schema that the registry must not run with.

    Raises:
        MigrationError: the schema is not this program's, or the role could see every tenant.
        DatabaseUnreachableError: the database cannot be connected to.
    """
    with explained_connecting("REGISTRY_DATABASE_URL"):
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=max_connections,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            server_settings={"application_name": "registry_service"},
        )
    try:
        async with pool.acquire() as connection:
            await _check_role(connection)
            await check_schema(connection)
        yield Database(pool=pool, clock=clock)
    finally:
        await _close(pool)


async def _check_role(connection: Connection) -> None:
    """Row-level security does not bind superusers, BYPASSRLS roles and (unforced) owners."""
    row = await connection.fetchrow(
        """
        select rolsuper or rolbypassrls as unbound,
               exists (select from pg_class where relowner = r.oid and relkind in ('r', 'p'))
                 as owns
        from pg_roles r where rolname = current_user
        """
    )
    if row is None or row["unbound"] or row["owns"]:
        raise MigrationError(
            "The registry must not run as a superuser, as a BYPASSRLS role or as the owner of "
            "tables, whom row-level security does not bind: let REGISTRY_DATABASE_URL connect as "
            "extension_app, and REGISTRY_MIGRATION_DATABASE_URL as the owner."
        )


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()
