"""Row-level security, proved as the application role against every tenant table."""

# ruff: noqa: S608 - the tables are named by this file

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any, cast

import asyncpg
import pytest

from registry_service.postgres.tenant_scope import tenant_transaction
from shared.identifiers import TenantId
from tests.fixtures.postgres import TestDatabase

TENANTS = [TenantId(uuid.UUID(int=number)) for number in (0xA, 0xB)]
TABLES = [
    "tenant_extension_install",
    "tenant_extension_install_revision",
    "extension_event_subscription",
    "extension_execution_log",
    "extension_quota_usage",
    "ext_storage_records",
    "ext_storage_usage",
    "tenant_extension_install_secrets",
    "tenant_policy",
]
VIEWS = ["tenant_install_detail"]

SEED = """
insert into extension_registry (id, publisher, name)
  values ('00000000-0000-0000-0000-000000000001', 'acme', 'one') on conflict do nothing;
insert into extension_version (id, registry_id, version, runtime, main_entry, manifest)
  values ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001',
          '1.0.0', 'wasm-js@1', 'x', '{}') on conflict do nothing;
insert into extension_bundle (version_id, content_hash, signature_result, storage_url, size_bytes)
  values ('00000000-0000-0000-0000-000000000002', 'sha256:' || repeat('0', 64), 'not_signed',
          'k', 1) on conflict do nothing;
insert into tenant_extension_install (tenant_id, id, registry_id, version_id)
  values ($T, $T, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002');
insert into tenant_extension_install_revision
    (tenant_id, install_id, revision, actor, action, version_id, granted_caps, config,
     egress_rules, status)
  values ($T, $T, 1, 'a', 'install', '00000000-0000-0000-0000-000000000002', '[]', '{}', '[]',
          'enabled');
insert into extension_event_subscription (tenant_id, id, install_id, topic, handler)
  values ($T, $T, $T, 't', 'h');
insert into extension_execution_log
    (tenant_id, id, registry_id, version_id, install_id, content_hash, request_id, started_at,
     finished_at, status)
  values ($T, $T, $T, $T, $T, 'h', 'r', now(), now(), 'ok');
insert into extension_quota_usage (tenant_id, registry_id, window_start) values ($T, $T, now());
insert into ext_storage_records (tenant_id, registry_id, namespace, key, revision, value)
  values ($T, '00000000-0000-0000-0000-000000000001', 'n', 'k', 1, 'v');
insert into ext_storage_usage (tenant_id, registry_id, namespace, keys_count, bytes_used)
  values ($T, '00000000-0000-0000-0000-000000000001', 'n', 1, 1);
insert into tenant_extension_install_secrets
    (tenant_id, install_id, key, version, ciphertext, algorithm, key_id)
  values ($T, $T, 'k', 1, 'x', 'a', 'i');
insert into tenant_policy (tenant_id, signing_policy, set_by, set_at)
  values ($T, 'require', '', now());
"""

Connection = Any


@pytest.fixture(scope="module")
async def pool(database: TestDatabase) -> AsyncIterator[Any]:
    """The application role, over rows of two tenants in every tenant table."""
    owner = await asyncpg.connect(database.owner_dsn)
    for tenant in TENANTS:
        await owner.execute(SEED.replace("$T", f"'{tenant}'"))
    await owner.close()
    async with asyncpg.create_pool(database.application_dsn, min_size=1, max_size=4) as opened:
        yield opened


@pytest.fixture
async def connection(pool: Any) -> AsyncIterator[Connection]:
    async with pool.acquire() as acquired:
        yield acquired


async def count(connection: Connection, table: str) -> int:
    return int(await connection.fetchval(f"select count(*) from {table}"))


async def test_every_table_with_a_tenant_is_in_this_suite(connection: Connection) -> None:
    rows = await connection.fetch(
        "select distinct table_name from information_schema.columns "
        "where table_schema = 'public' and column_name = 'tenant_id'"
    )
    assert {row["table_name"] for row in rows} == {*TABLES, *VIEWS}


@pytest.mark.parametrize("table", [*TABLES, *VIEWS])
async def test_a_tenant_sees_its_own_rows_and_no_others(connection: Connection, table: str) -> None:
    for tenant in TENANTS:
        async with tenant_transaction(connection, tenant):
            rows = await connection.fetch(f"select tenant_id from {table}")
            assert [row["tenant_id"] for row in rows] == [tenant]
            other = next(each for each in TENANTS if each != tenant)
            found = await connection.fetch(f"select from {table} where tenant_id = $1", other)
            assert not found


@pytest.mark.parametrize("table", [*TABLES, *VIEWS])
async def test_without_a_tenant_there_are_no_rows(connection: Connection, table: str) -> None:
    assert await count(connection, table) == 0
    async with tenant_transaction(connection, TENANTS[0]):
        assert await count(connection, table) == 1
    assert await count(connection, table) == 0  # the setting reads '' now, not NULL
    async with connection.transaction():
        await connection.execute("select set_config('app.tenant_id', '', true)")
        assert await count(connection, table) == 0


INSERTS = {
    line.split("(")[0].split()[2]: line
    for line in (part.strip() for part in SEED.split(";"))
    if line.startswith("insert into") and "$T" in line
}


@pytest.mark.parametrize("table", TABLES)
async def test_a_row_of_another_tenant_cannot_be_written(
    connection: Connection, table: str
) -> None:
    foreign = INSERTS[table].replace("$T", f"'{uuid.UUID(int=0xC)}'")
    if "ext_storage" in table:  # the application writes these too, by way of its functions
        foreign = foreign.replace("'n'", "'m'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with tenant_transaction(connection, TENANTS[0]):
            await connection.execute(foreign)


@pytest.mark.parametrize("table", TABLES)
async def test_a_row_can_neither_be_given_to_nor_taken_from_another_tenant(
    connection: Connection, table: str
) -> None:
    mine, other = TENANTS
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenant_transaction(connection, mine):
            await connection.execute(f"update {table} set tenant_id = $1", other)
    for statement in (
        f"update {table} set tenant_id = $1 where tenant_id = $2",
        f"delete from {table} where $1::uuid <> $2::uuid and tenant_id = $2",
    ):
        try:
            async with tenant_transaction(connection, mine):
                done = await connection.execute(statement, mine, other)
        except asyncpg.InsufficientPrivilegeError:
            continue  # the log is append-only
        assert done.endswith(" 0")


async def test_the_role_cannot_lift_the_security_or_reach_past_it(connection: Connection) -> None:
    for statement in (
        "alter table tenant_extension_install disable row level security",
        "drop policy tenant_isolation on tenant_extension_install",
        "create table mine (id int)",
        "set role postgres",
        "set session authorization postgres",
        "update schema_migrations set sha256 = ''",
        "delete from extension_execution_log",
        "delete from extension_version",
        "copy tenant_extension_install from program 'true'",
    ):
        with pytest.raises(asyncpg.PostgresError) as told:
            await connection.execute(statement)
        assert told.value.sqlstate in {"42501", "42601", "22023", "42704"}, statement
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(
            "begin; set local row_security = off; select * from tenant_extension_install"
        )
    await connection.execute("rollback")


async def test_a_connection_carries_nothing_over_however_its_transaction_ended(pool: Any) -> None:
    async def fail(how: str) -> None:
        async with pool.acquire() as connection, tenant_transaction(connection, TENANTS[0]):
            match how:
                case "statement":
                    await connection.execute("select 1 / 0")
                case "killed":
                    await connection.execute("select pg_terminate_backend(pg_backend_pid())")
                case "cancelled":
                    await connection.execute("select pg_sleep(10)")
                case _:
                    raise LookupError

    async def look() -> None:
        async with pool.acquire() as connection:
            setting = "select current_setting('app.tenant_id', true)"
            assert not await connection.fetchval(setting)
            assert await count(connection, "tenant_extension_install") == 0

    for _ in range(20):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await fail("statement")
        with pytest.raises(LookupError):
            await fail("raised")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await fail("killed")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await fail("cancelled")
        await asyncio.gather(*(look() for _ in range(6)))


async def test_the_hot_functions_leave_no_tenant_behind(connection: Connection) -> None:
    tenant = TENANTS[0]
    for call in (
        "select * from resolve_install($1, $1, '', '')",
        "select * from storage_get($1, $1, 'n', 'k')",
        "select * from storage_list($1, $1, 'n', '', '', null, 9)",
        "select * from secret_get($1, $1, 'k')",
    ):
        assert len(await connection.fetch(call, tenant)) == 1
        assert await count(connection, "tenant_extension_install") == 0
    other = TENANTS[1]
    for call in (
        "select * from resolve_install($1, $2, '', '')",
        "select * from storage_get($1, $2, 'n', 'k')",
        "select * from storage_list($1, $2, 'n', '', '', null, 9)",
        "select * from secret_get($1, $2, 'k')",
    ):
        assert not await connection.fetch(call, tenant, other)
    put = "select outcome from storage_put($1, $2, 'n', '{k}', '{x}', '{null}', '{null}', 9, 9, 9)"
    assert await connection.fetchval(put, tenant, other) == "install_gone"
    delete = "select outcome from storage_delete($1, $2, 'n', 'k', null)"
    assert await connection.fetchval(delete, tenant, other) == "install_gone"


async def test_a_tenant_is_a_uuid_before_it_becomes_sql(connection: Connection) -> None:
    with pytest.raises(TypeError):
        async with tenant_transaction(connection, cast("TenantId", "x'; drop table y; --")):
            pass
