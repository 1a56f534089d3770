"""Installs of an older schema get a history and named grants, whoever owns the schema."""

import json
import secrets
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from registry_service.postgres.migrate import load_migrations, migrate
from tests.fixtures.postgres import Cluster

BEFORE = 5
ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.fixture
async def older(postgres_cluster: Cluster) -> AsyncIterator[tuple[str, str]]:
    """A database of an owner without privileges, at an older schema: the owner's and root's DSN."""
    if postgres_cluster.embedded is None:
        pytest.skip("needs a role that logs in without a password")
    name, role = f"older_{secrets.token_hex(4)}", f"owner_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(postgres_cluster.owner("postgres"))
    await admin.execute(f"create role {role} login createrole")
    await admin.execute(f"create database {name} owner {role}")
    try:
        yield postgres_cluster.embedded.dsn(name, user=role), postgres_cluster.owner(name)
    finally:
        await admin.execute(f"drop database {name} with (force)")
        await admin.execute(f"drop owned by {role}")
        await admin.execute(f"drop role {role}")
        await admin.close()


async def test_what_was_granted_stays_granted_and_the_history_begins(
    older: tuple[str, str],
) -> None:
    owner, root = older
    await migrate(owner, load_migrations()[:BEFORE])
    connection = await asyncpg.connect(root)
    await connection.execute(
        "insert into extension_registry (id, publisher, name) values ($1, 'acme', 'old')", ONE
    )
    await connection.execute(
        """insert into extension_version (id, registry_id, version, runtime, main_entry, manifest)
           values ($1, $1, '1.0.0', 'wasm-js@1', 'x', '{}')""", ONE,
    )  # fmt: skip
    for tenant, capabilities in ((ONE, ["cap:storage.kv", "cap:log.emit"]), (TWO, [])):
        await connection.execute(
            """insert into tenant_extension_install
                 (tenant_id, registry_id, version_id, granted_caps, config, status, revision)
               values ($1, $2, $2, $3, '{"a":1}', 'disabled', 4)""",
            tenant, ONE, json.dumps(capabilities),
        )  # fmt: skip

    await migrate(owner)

    rows = await connection.fetch("select * from tenant_extension_install order by tenant_id")
    grants = [json.loads(row["granted_caps"]) for row in rows]
    assert [[each["capability"] for each in one] for one in grants] == [
        ["cap:log.emit", "cap:storage.kv"],
        [],
    ]
    assert {each["granted_by"] for each in grants[0]} == {""}
    assert {each["granted_at"] for each in grants[0]} == {rows[0]["created_at"].isoformat()}
    history = await connection.fetch(
        "select * from tenant_extension_install_revision order by tenant_id"
    )
    assert [
        (each["install_id"], each["revision"], each["action"], each["config"], each["status"])
        for each in history
    ] == [(row["id"], 4, "install", '{"a":1}', "disabled") for row in rows]
    assert [each["granted_caps"] for each in history] == [row["granted_caps"] for row in rows]
    forced = "select relforcerowsecurity from pg_class where relname = 'tenant_extension_install'"
    assert await connection.fetchval(forced)
    await connection.close()
