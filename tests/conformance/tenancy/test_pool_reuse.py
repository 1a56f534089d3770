"""Ten thousand reuses of pooled connections, with violence: no tenant is left on any of them."""

import asyncio
import random
import uuid
from collections import Counter
from contextlib import suppress
from typing import Final

import asyncpg
import pytest

from registry_service.postgres.database import Connection, Database, open_database
from shared.clock import SystemClock
from shared.errors import InternalError, RegistryUnavailableError
from shared.identifiers import TenantId
from tests.fixtures.postgres import TestDatabase

REUSES: Final = 10_000
CONNECTIONS: Final = 8
WORKERS: Final = 24
TENANTS: Final = [TenantId(uuid.UUID(int=number)) for number in range(1, 9)]

SEED = """
insert into extension_registry (id, publisher, name) values ($1, 'acme', 'pooled');
insert into extension_version (id, registry_id, version, runtime, main_entry, manifest)
  values ($1, $1, '1.0.0', 'wasm-js@1', 'x', '{}');
"""


class BrokenOffError(Exception):
    """What a piece of work raises in the middle of a transaction."""


@pytest.fixture(scope="module")
async def seeded(database: TestDatabase) -> TestDatabase:
    """Each tenant has one install, by which it can be told."""
    entry = uuid.UUID(int=0xE)
    owner = await asyncpg.connect(database.owner_dsn)
    for statement in SEED.split(";")[:2]:
        await owner.execute(statement, entry)
    for tenant in TENANTS:
        await owner.execute(
            "insert into tenant_extension_install (tenant_id, id, registry_id, version_id) "
            "values ($1, $1, $2, $2)",
            tenant, entry,
        )  # fmt: skip
    await owner.close()
    return database


async def look(connection: Connection) -> None:
    """What a connection shows that nobody has said a tenant on: nothing."""
    row = await connection.fetchrow(
        "select current_setting('app.tenant_id', true) as setting, "
        "(select count(*) from tenant_extension_install) as rows"
    )
    assert row is not None
    assert not row["setting"], "a tenant was left on a connection"
    assert row["rows"] == 0, "rows of a tenant are seen by nobody"


class Reuses:
    """Works on one pool in every way, and counts how each piece of work ended."""

    def __init__(self, database: Database, killer: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._database = database
        self._killer = killer
        self._killing = asyncio.Lock()
        self.ended: Counter[str] = Counter()

    async def one(self, chance: random.Random) -> None:
        how = chance.choices(
            ("commit", "look", "raise", "fail", "cancel", "killed", "open"),
            weights=(40, 30, 8, 8, 8, 2, 4),
        )[0]
        tenant = chance.choice(TENANTS)

        async def work(connection: Connection) -> None:
            rows = await connection.fetch("select tenant_id from tenant_extension_install")
            assert [row["tenant_id"] for row in rows] == [tenant], "rows of another tenant"
            match how:
                case "raise":
                    raise BrokenOffError
                case "fail":
                    await connection.execute("select 1 / 0")
                case "cancel":
                    await connection.execute("select pg_sleep(5)")
                case "killed":
                    await self._kill(await connection.fetchval("select pg_backend_pid()"))
                    await connection.execute("select 1")

        async def left_open(connection: Connection) -> None:
            # what no code of ours does: a transaction that is begun and never ended
            await connection.execute(f"begin; set local app.tenant_id = '{tenant}'")

        expected = (
            BrokenOffError, InternalError, TimeoutError, RegistryUnavailableError,
        )  # fmt: skip
        with suppress(*expected):
            match how:
                case "look":
                    await self._database.run(look, repeatable=True)
                case "open":
                    await self._database.run(left_open, repeatable=False)
                case "cancel":
                    async with asyncio.timeout(chance.uniform(0.0, 0.01)):
                        await self._database.for_tenant(tenant, work, repeatable=True)
                case _:
                    await self._database.for_tenant(tenant, work, repeatable=False)
            self.ended["well"] += 1
        self.ended[how] += 1

    async def _kill(self, pid: int) -> None:
        async with self._killing:
            await self._killer.execute("select pg_terminate_backend($1)", pid)


@pytest.mark.timeout(120)
async def test_no_tenant_is_left_on_a_connection_however_its_work_ended(
    seeded: TestDatabase,
) -> None:
    chance = random.Random(3)  # noqa: S311 - the same in every run
    killer = await asyncpg.connect(seeded.owner_dsn)
    async with open_database(
        seeded.application_dsn, max_connections=CONNECTIONS, clock=SystemClock()
    ) as database:
        reuses = Reuses(database, killer)
        turns = iter(range(REUSES))

        async def worker() -> None:
            for _ in turns:
                await reuses.one(chance)

        await asyncio.gather(*(worker() for _ in range(WORKERS)))
        await asyncio.gather(*(database.run(look, repeatable=True) for _ in range(CONNECTIONS * 4)))
    await killer.close()

    assert sum(reuses.ended.values()) - reuses.ended["well"] == REUSES
    assert min(reuses.ended[how] for how in ("commit", "look", "raise", "fail", "cancel")) > 500
    assert min(reuses.ended[how] for how in ("killed", "open")) > 100
    assert reuses.ended["well"] > REUSES * 0.6
