"""The rules of the schema, read from PostgreSQL's own catalogue."""

# ruff: noqa: S608 - the queries are made of this file's own text

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.fixtures.postgres import TestDatabase

TENANT_TABLES = """
select c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind in ('r', 'p') and exists (
  select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
"""
RULES = {
    "row-level security is enabled and forced": f"""
        select relname from ({TENANT_TABLES}) t
        where not relrowsecurity or not relforcerowsecurity""",
    "one policy for all commands checks what is read and what is written": f"""
        select relname from ({TENANT_TABLES}) t where not exists (
          select from pg_policy p where p.polrelid = t.oid and p.polcmd = '*'
            and pg_get_expr(p.polqual, t.oid) = '(tenant_id = current_tenant_id())'
            and pg_get_expr(p.polwithcheck, t.oid) = '(tenant_id = current_tenant_id())')
          or (select count(*) from pg_policy p where p.polrelid = t.oid and p.polname <> 'census')
             <> 1""",
    "the one other policy lets nobody but the owner read, and only while it counts": """
        select c.relname from pg_policy p join pg_class c on c.oid = p.polrelid
        where p.polname = 'census' and (p.polcmd <> 'r' or p.polroles <> array[c.relowner]
          or pg_get_expr(p.polqual, c.oid) <>
             '(current_setting(''extension.census''::text, true) = ''on''::text)')""",
    "tenant_id is never null": f"""
        select t.relname from ({TENANT_TABLES}) t
        join pg_attribute a on a.attrelid = t.oid and a.attname = 'tenant_id'
        where not a.attnotnull""",
    "there is a primary key": f"""
        select relname from ({TENANT_TABLES}) t where not exists (
          select from pg_constraint k where k.conrelid = t.oid and k.contype = 'p')""",
    "primary and unique keys start with tenant_id": f"""
        select t.relname || '.' || i.indexrelid::regclass from ({TENANT_TABLES}) t
        join pg_index i on i.indrelid = t.oid and i.indisunique
        join pg_attribute a on a.attrelid = t.oid and a.attname = 'tenant_id'
        where i.indkey[0] <> a.attnum""",
    "foreign keys between tenant tables start with tenant_id": f"""
        select t.relname || '.' || k.conname from ({TENANT_TABLES}) t
        join pg_constraint k on k.conrelid = t.oid and k.contype = 'f'
        join ({TENANT_TABLES}) target on target.oid = k.confrelid
        join pg_attribute a on a.attrelid = t.oid and a.attname = 'tenant_id'
        join pg_attribute b on b.attrelid = target.oid and b.attname = 'tenant_id'
        where k.conkey[1] <> a.attnum or k.confkey[1] <> b.attnum""",
    "global tables do not refer to tenant tables": f"""
        select k.conname from pg_constraint k
        join ({TENANT_TABLES}) target on target.oid = k.confrelid
        where k.contype = 'f' and not exists (
          select from ({TENANT_TABLES}) t where t.oid = k.conrelid)""",
    "views look with the eyes of who asks": """
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind = 'v'
          and not coalesce('security_invoker=true' = any (c.reloptions), false)""",
    "there are no materialised views": """
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind = 'm'""",
    "functions run with the rights of who calls": """
        select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public' and p.prosecdef and p.proname <> 'version_census'""",
    "the one function that looks across tenants only counts, and nobody can bend its words": """
        select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public' and p.proname = 'version_census' and (
          p.provolatile = 'v'
          or not coalesce('search_path=pg_catalog' = any (p.proconfig), false)
          or has_function_privilege('public', p.oid, 'execute')
          or pg_get_function_result(p.oid) <> 'record'
          or p.proallargtypes
             <> array['uuid', 'bigint', 'bigint', 'timestamptz']::regtype[]::oid[])""",
    "functions that write are nobody's but the application's": """
        select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public' and p.provolatile = 'v'
          and has_function_privilege('public', p.oid, 'execute')""",
    "the application role owns nothing": """
        select c.relname from pg_class c where c.relowner = 'extension_app'::regrole
        union all select p.proname from pg_proc p where p.proowner = 'extension_app'::regrole""",
    "the application role is bound by row-level security": """
        select rolname from pg_roles where rolname = 'extension_app'
        and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)""",
    "a status column has a check": """
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'status'
        where n.nspname = 'public' and c.relkind in ('r', 'p') and not exists (
          select from pg_constraint k where k.conrelid = c.oid and k.contype = 'c'
            and a.attnum = any (k.conkey))""",
}
SEED_COLUMNS = {
    "extension_registry": "id publisher name display_name description created_at updated_at",
    "extension_version": "id registry_id version runtime main_entry api api_endpoints ui "
    "capabilities created_at",
    "extension_bundle": "id version_id content_hash signature precompiled storage_url size_bytes "
    "created_at",
    "tenant_extension_install": "id tenant_id registry_id version_id granted_caps config "
    "is_enabled status created_at updated_at",
    "extension_event_subscription": "id tenant_id install_id topic handler created_at",
    "extension_execution_log": "id tenant_id registry_id version_id request_id started_at "
    "finished_at status metrics error",
    "extension_quota_usage": "tenant_id registry_id window_start cpu_ms mem_mb_ms invocations "
    "egress_bytes",
}


@pytest.fixture(scope="module")
async def owner(database: TestDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database.owner_dsn)
    yield connection
    await connection.close()


async def broken_by(connection: Any, rule: str) -> list[str]:
    return [row[0] for row in await connection.fetch(RULES[rule])]


@pytest.mark.parametrize("rule", RULES)
async def test_the_schema_keeps_the_rule(owner: Any, rule: str) -> None:
    assert await broken_by(owner, rule) == []


@pytest.mark.parametrize("table", SEED_COLUMNS)
async def test_a_table_has_the_columns_that_its_readers_know(owner: Any, table: str) -> None:
    rows = await owner.fetch(
        "select column_name from information_schema.columns where table_name = $1", table
    )
    assert set(SEED_COLUMNS[table].split()) <= {row["column_name"] for row in rows}


FAULTS = {
    "create table f (tenant_id uuid primary key)": [
        "row-level security is enabled and forced",
        "one policy for all commands checks what is read and what is written",
    ],
    "create table f (id uuid, tenant_id uuid)": [
        "tenant_id is never null",
        "there is a primary key",
    ],
    "create table f (id uuid primary key, tenant_id uuid not null, x int unique)": [
        "primary and unique keys start with tenant_id"
    ],
    """create table f (tenant_id uuid primary key, i uuid, r uuid,
         foreign key (i, r) references tenant_extension_install (tenant_id, registry_id))""": [
        "foreign keys between tenant tables start with tenant_id"
    ],
    """create table f (i uuid, r uuid,
         foreign key (i, r) references tenant_extension_install (tenant_id, registry_id))""": [
        "global tables do not refer to tenant tables"
    ],
    "create view f as select * from tenant_extension_install": [
        "views look with the eyes of who asks"
    ],
    "create materialized view f as select * from tenant_extension_install": [
        "there are no materialised views"
    ],
    "create function f() returns int language sql security definer as 'select 1'": [
        "functions run with the rights of who calls",
        "functions that write are nobody's but the application's",
    ],
    "create policy census on extension_quota_usage for select to extension_app using (true)": [
        "the one other policy lets nobody but the owner read, and only while it counts"
    ],
    "alter function version_census set search_path = public": [
        "the one function that looks across tenants only counts, and nobody can bend its words"
    ],
    "create table f (id int); alter table f owner to extension_app": [
        "the application role owns nothing"
    ],
    "create table f (id int primary key, status text)": ["a status column has a check"],
}


@pytest.mark.parametrize("statement", FAULTS)
async def test_the_rules_find_a_fault_that_is_planted(owner: Any, statement: str) -> None:
    transaction = owner.transaction()
    await transaction.start()
    try:
        await owner.execute(statement)
        found = [rule for rule in RULES if await broken_by(owner, rule)]
    finally:
        await transaction.rollback()
    assert set(FAULTS[statement]) <= set(found)
