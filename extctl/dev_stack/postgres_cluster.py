"""The cluster on the disk: made once, whole or not at all, and used by one server at a time."""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from extctl.dev_stack.postgres_home import EmbeddedPostgresError, PostgresHome

SUPERUSER: Final = "postgres"
LOCK_SECONDS: Final = 10.0
"""A server whose parent was killed needs a moment to end."""


def make_cluster(home: PostgresHome) -> None:
    """Makes the cluster if there is none.

    Raises:
        EmbeddedPostgresError: initdb failed, or the cluster is of another major version.
    """
    marker = home.cluster / "PG_VERSION"
    if marker.exists():
        _check_version(home, marker.read_text().strip())
        return
    # initdb beside the final place: a start that was killed half-way leaves no half cluster
    with locked(home):
        if marker.exists():
            return
        partial = home.directory / "cluster.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        home.give(partial)
        home.run(
            "initdb", "-D", partial, "-U", SUPERUSER, "--auth=reject", "--auth-local=trust",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions",
        )  # fmt: skip
        partial.rename(home.cluster)


def _check_version(home: PostgresHome, cluster: str) -> None:
    said = home.run("postgres", "--version")
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    if found is None or found[1] != cluster:
        raise EmbeddedPostgresError(
            f"{home.cluster} was made by PostgreSQL {cluster}, but the programs are {said.strip()}:"
            " start with programs of that version, or on another data directory."
        )


@contextmanager
def locked(home: PostgresHome) -> Iterator[int]:
    """Holds the home's lock; a server that inherits the file descriptor holds it after us."""
    path = home.directory / "lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"{home.directory} is in use by another PostgreSQL: stop the stack that runs "
                    "there, or choose another data directory."
                )
            time.sleep(0.05)
        yield file
    finally:
        os.close(file)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
