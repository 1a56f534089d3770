"""Migrations: applied once by whoever comes first, and never over something unexpected."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from registry_service.postgres.connecting import DatabaseUnreachableError
from registry_service.postgres.database import open_database
from registry_service.postgres.migrate import Migration, MigrationError, load_migrations, migrate
from shared.clock import SystemClock
from tests.fixtures.postgres import Cluster, NewDatabase, TestDatabase

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
async def empty(postgres_cluster: Cluster) -> AsyncIterator[str]:
    """The owner's DSN of an empty database."""
    name = f"empty_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(postgres_cluster.owner("postgres"))
    try:
        await admin.execute(f"create database {name}")
        yield postgres_cluster.owner(name)
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_of_five_runners_one_applies_and_the_others_find_nothing_to_do(empty: str) -> None:
    outcomes = await asyncio.gather(*(migrate(empty) for _ in range(5)))
    names = [migration.name for migration in load_migrations()]
    assert sorted(outcomes, key=len) == [[], [], [], [], names]
    assert await migrate(empty) == []
    assert {
        "extension_registry", "extension_version", "extension_bundle", "tenant_extension_install",
        "extension_event_subscription", "extension_execution_log", "extension_quota_usage",
    } <= await tables(empty)  # fmt: skip


def step(number: int, sql: str) -> Migration:
    return Migration(number, f"{number:04}_step.sql", sql)


STEPS = [step(1, "create table one (id int)"), step(2, "create table two (id int)")]


async def test_a_failing_file_is_rolled_back_whole_and_the_ones_before_it_stay(
    empty: str,
) -> None:
    broken = step(3, "create table three (id int); select 1 / 0")
    with pytest.raises(MigrationError, match=r"0003_step\.sql failed"):
        await migrate(empty, [*STEPS, broken])
    assert await tables(empty) == {"schema_migrations", "one", "two"}
    assert await migrate(empty, [*STEPS, step(3, "create table three (id int)")]) == [
        "0003_step.sql"
    ]


async def test_an_edited_file_is_refused(empty: str) -> None:
    await migrate(empty, STEPS)
    edited = [replace(STEPS[0], sql="create table one (id bigint)"), STEPS[1]]
    with pytest.raises(MigrationError, match="edited after it was applied"):
        await migrate(empty, [*edited, step(3, "create table three (id int)")])
    assert "three" not in await tables(empty)


async def test_a_newer_database_is_refused(empty: str) -> None:
    await migrate(empty, STEPS)
    with pytest.raises(MigrationError, match="newer program"):
        await migrate(empty, STEPS[:1])


async def test_a_gap_in_the_database_is_refused(empty: str) -> None:
    await migrate(empty, STEPS)
    connection = await asyncpg.connect(empty)
    await connection.execute("delete from schema_migrations where number = 1")
    await connection.close()
    with pytest.raises(MigrationError, match="skipped"):
        await migrate(empty, STEPS)


async def test_an_owner_without_superuser_rights_can_migrate(
    postgres_cluster: Cluster, empty: str
) -> None:
    if postgres_cluster.embedded is None:
        pytest.skip("needs a role that logs in without a password")
    database = empty.partition("?")[0].rpartition("/")[2]
    role = f"owner_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(postgres_cluster.owner("postgres"))
    try:
        await admin.execute(f"create role {role} login createrole")
        await admin.execute(f"alter database {database} owner to {role}")
        await migrate(postgres_cluster.embedded.dsn(database, user=role))
        await admin.execute(f"alter database {database} owner to postgres")
        owned = await asyncpg.connect(empty)
        await owned.execute(f"reassign owned by {role} to postgres")
        await owned.execute(f"drop owned by {role}")
        await owned.close()
    finally:
        await admin.execute(f"drop role {role}")
        await admin.close()


async def test_the_registry_refuses_an_old_schema_and_a_role_that_sees_everything(
    new_database: NewDatabase,
) -> None:
    database = await new_database()
    clock = SystemClock()
    with pytest.raises(MigrationError, match="must not run as a superuser"):
        async with open_database(database.owner_dsn, max_connections=2, clock=clock):
            pass
    connection = await asyncpg.connect(database.owner_dsn)
    await connection.execute(
        "delete from schema_migrations where number = (select max(number) from schema_migrations)"
    )
    with pytest.raises(MigrationError, match="lacks 1 migrations"):
        async with open_database(database.application_dsn, max_connections=2, clock=clock):
            pass
    await connection.execute("create table owned (id int)")
    await connection.execute("alter table owned owner to extension_app")
    await connection.close()
    with pytest.raises(MigrationError, match="owner of"):
        async with open_database(database.application_dsn, max_connections=2, clock=clock):
            pass


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://u:canary-5eb1@127.0.0.1:9/x", "mysql://u:canary-5eb1@h/x",
     "postgresql://u:canary-5eb1@/x?host=/nonexistent", "postgresql://u:canary-5eb1@h:99999999/x"],
)  # fmt: skip
async def test_a_database_that_cannot_be_reached_is_told_without_its_password(dsn: str) -> None:
    with pytest.raises(DatabaseUnreachableError) as told:
        await migrate(dsn)
    assert "REGISTRY_MIGRATION_DATABASE_URL" in str(told.value)
    assert "canary" not in str(told.value)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "registry_service", *arguments],
        cwd=REPOSITORY, env={"PATH": os.environ["PATH"], **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_the_command_applies_and_says_so(empty: str) -> None:
    first = await asyncio.to_thread(run, "migrate", REGISTRY_MIGRATION_DATABASE_URL=empty)
    assert first.returncode == 0, first.stderr
    assert "applied 0001_application_role.sql" in first.stdout
    again = await asyncio.to_thread(run, "migrate", REGISTRY_MIGRATION_DATABASE_URL=empty)
    assert (again.returncode, again.stdout) == (0, "nothing to apply\n")


def test_the_command_tells_all_wrong_settings_at_once() -> None:
    wrong = run(
        REGISTRY_DATABASE_MAX_CONNECTIONS="none",
        REGISTRY_LISTEN="nowhere",
        REGISTRY_DATABASE_URL="postgresql://u:canary-5eb1@127.0.0.1/x",
    )
    assert wrong.returncode == 2
    for variable in (
        "REGISTRY_DATABASE_MAX_CONNECTIONS", "REGISTRY_LISTEN", "REGISTRY_BUNDLE_STORE_URL",
        "REGISTRY_GRANT_SIGNING_KEY_FILE", "REGISTRY_SERVICE_KEYS_FILE", "SIGNING_TRUST_BUNDLE",
    ):  # fmt: skip
        assert variable in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert "canary" not in wrong.stderr
    assert run("sing").returncode == 2


def test_the_command_tells_all_wrong_files_at_once(tmp_path: Path, database: TestDatabase) -> None:
    (tmp_path / "grant.pem").write_text("canary-5eb1")
    (tmp_path / "keys.jwks").write_text('{"keys": []}')
    wrong = run(
        REGISTRY_DATABASE_URL=database.application_dsn,
        REGISTRY_BUNDLE_STORE_URL=f"file://{tmp_path}/bundles",
        REGISTRY_GRANT_SIGNING_KEY_FILE=str(tmp_path / "grant.pem"),
        REGISTRY_SERVICE_KEYS_FILE=str(tmp_path / "keys.jwks"),
        SIGNING_TRUST_BUNDLE=str(tmp_path / "missing.pem"),
    )
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 3
    assert "canary" not in wrong.stderr
