"""PostgreSQL goes away and comes back; the registry goes on without a restart of its own."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from extctl.dev_stack.postgres import EmbeddedPostgres, start_postgres
from registry_service.postgres.database import Connection, Database, open_database
from registry_service.postgres.migrate import migrate
from shared.clock import SystemClock
from shared.errors import DeadlineExceededError, InternalError, RegistryUnavailableError
from tests.fixtures.postgres import APPLICATION_ROLE, TestDatabase
from tests.fixtures.registry import NewRegistryHome, new_tenant, registry_on


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of this module's own, to be maltreated."""
    directory = Path(tempfile.mkdtemp(prefix="test-pg-", dir="/tmp"))
    directory.chmod(0o711)
    with start_postgres(directory / "data") as running:
        yield running
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
async def mistreated(server: EmbeddedPostgres) -> TestDatabase:
    server.create_database("lost")
    await migrate(server.admin_dsn("lost"))
    return TestDatabase("lost", server.admin_dsn("lost"), server.dsn("lost", user=APPLICATION_ROLE))


@pytest.fixture
async def opened(mistreated: TestDatabase) -> AsyncIterator[Database]:
    async with open_database(
        mistreated.application_dsn, max_connections=4, clock=SystemClock()
    ) as database:
        yield database


async def sleeping(connection: Connection) -> int:
    await connection.execute("select pg_sleep(0.3)")
    return 1


async def counting(connection: Connection) -> int:
    return int(await connection.fetchval("select 1"))


async def test_the_next_call_succeeds_after_a_restart(
    server: EmbeddedPostgres, mistreated: TestDatabase, new_registry_home: NewRegistryHome
) -> None:
    async with registry_on(new_registry_home(), mistreated) as registry:
        await registry.publish(name="survivor")
        tenant = new_tenant()
        await registry.install(tenant, "acme.survivor")
        for crash in (False, True, False):
            await asyncio.gather(*(registry.resolve(tenant, "acme.survivor") for _ in range(20)))
            if crash:
                server.process.send_signal(signal.SIGKILL)
                server.process.wait()
            server.restart()
            answers = await asyncio.gather(
                *(registry.resolve(tenant, "acme.survivor") for _ in range(20))
            )
            assert len({answer.install.install_id for answer in answers}) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
async def test_repeatable_work_is_done_again_when_the_server_dies_in_the_middle(
    server: EmbeddedPostgres, opened: Database, how: signal.Signals
) -> None:
    work = [asyncio.create_task(opened.run(sleeping, repeatable=True)) for _ in range(4)]
    await asyncio.sleep(0.1)
    server.process.send_signal(how)
    server.process.wait()
    server.restart()
    assert await asyncio.gather(*work) == [1, 1, 1, 1]


async def test_work_that_may_have_been_done_is_not_done_again(
    server: EmbeddedPostgres, opened: Database
) -> None:
    work = asyncio.create_task(opened.run(sleeping, repeatable=False))
    await asyncio.sleep(0.1)
    server.restart()
    with pytest.raises(RegistryUnavailableError, match="look whether it was"):
        await work
    assert await opened.run(counting, repeatable=False) == 1


async def test_a_server_that_stays_away_is_told_in_time(
    server: EmbeddedPostgres, opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry_service.postgres.database.CONNECT_SECONDS", 0.3)
    server.stop()
    try:
        with pytest.raises(RegistryUnavailableError):
            async with asyncio.timeout(5):
                await opened.run(counting, repeatable=True)
    finally:
        server.restart()
    assert await opened.run(counting, repeatable=True) == 1


async def test_one_killed_session_is_replaced(opened: Database, mistreated: TestDatabase) -> None:
    admin = await asyncpg.connect(mistreated.owner_dsn)
    work = asyncio.create_task(opened.run(sleeping, repeatable=True))
    await asyncio.sleep(0.1)
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'extension_app'"
    )
    await admin.close()
    assert await work == 1


async def test_a_refused_statement_tells_nothing_of_its_data(
    opened: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    async def wrong(connection: Connection) -> None:
        await connection.execute("select 'canary-5eb1'::uuid")

    async def mistyped(connection: Connection) -> None:
        await connection.execute("select $1::int", "canary-5eb1")

    for work in (wrong, mistyped):
        with pytest.raises(InternalError) as told:
            await opened.run(work, repeatable=True)
        assert "canary" not in str(told.value)
        assert told.value.__cause__ is None
    out, err = capfd.readouterr()
    assert "canary" not in out + err
    assert await opened.run(counting, repeatable=True) == 1


async def test_a_statement_that_takes_too_long_is_ended(
    mistreated: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry_service.postgres.database.STATEMENT_SECONDS", 0.2)

    async def endless(connection: Connection) -> None:
        await connection.execute("select pg_sleep(30)")

    async with open_database(
        mistreated.application_dsn, max_connections=2, clock=SystemClock()
    ) as database:
        with pytest.raises(DeadlineExceededError):
            await database.run(endless, repeatable=True)
        assert await database.run(counting, repeatable=True) == 1
