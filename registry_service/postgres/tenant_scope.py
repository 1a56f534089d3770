"""The transaction in which one tenant's rows exist, and nobody else's."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg

from shared.identifiers import TenantId

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy


@asynccontextmanager
async def tenant_transaction(
    connection: "PoolConnectionProxy[asyncpg.Record]", tenant_id: TenantId
) -> AsyncIterator[None]:
    """Opens a transaction for the tenant; commits, or rolls back when the block raises.

    The setting is LOCAL: it ends with the transaction, whatever happens to the connection. It is
    sent together with BEGIN, which saves a round trip; a statement with parameters could not be.
    """
    if not isinstance(tenant_id, uuid.UUID):  # the type checker knows; this is SQL text, so prove
        raise TypeError("a tenant id is a UUID")
    await connection.execute(f"begin; set local app.tenant_id = '{tenant_id}'")
    try:
        yield
    except BaseException:
        # when even this fails, the pool rolls back before it hands the connection on
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await connection.execute("rollback")
        raise
    await connection.execute("commit")
