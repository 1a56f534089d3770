"""Why PostgreSQL could not be connected to, in words that hold no password."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg


class DatabaseUnreachableError(Exception):
    """PostgreSQL cannot be used with the given URL; the message says why."""


@contextmanager
def explained_connecting(variable: str) -> Iterator[None]:
    """Explains what goes wrong while connecting with the URL that `variable` sets.

    Raises:
        DatabaseUnreachableError: it went wrong.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        # the server's own sentence names at most the role and the database
        why = f"PostgreSQL refused the connection: {error.args[0]} ({error.sqlstate})"
    except (asyncpg.InterfaceError, ValueError):
        why = "it is no URL such as postgresql://role:password@host:5432/database"
    except TimeoutError:
        why = "PostgreSQL did not answer in time"
    except OSError as error:
        why = f"PostgreSQL cannot be reached: {error.strerror or type(error).__name__}"
    else:
        return
    raise DatabaseUnreachableError(f"{variable}: {why}.")
