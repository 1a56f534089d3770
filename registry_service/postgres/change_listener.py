"""Listens to what PostgreSQL says of changes, on a connection of its own.

What is committed while no connection listens is never said again, so whoever watches is told to
start afresh whenever listening begins; not when it ends, since what they know is all that there is
while the database is away. A connection may be dead without a word: it is asked for a sign of life
every few seconds.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg
import structlog

from shared.background import background
from shared.errors import ArgumentInvalidError
from shared.identifiers import InstallId, RegistryId, TenantId, VersionId, parse_content_hash
from shared.install_changes import Change, InstallChange, Resync, VersionChange
from shared.strict_json import JsonValue, parse_json

CHANNEL: Final = "install_changes"
PING_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 2.0
CONNECT_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 0.5
_MAX_PAYLOAD: Final = 8000

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def listening(dsn: str, tell: Callable[[Change], None]) -> AsyncIterator[None]:
    """Tells every change while the block runs; reconnects for as long as it takes.

    Args:
        dsn: connects as the application role. Not through a pooler that shares sessions between
            transactions: what is said there reaches nobody.
        tell: is told in the event loop, and must not block.
    """
    async with background(_Listener(dsn, tell).run()):
        yield


class _Listener:
    def __init__(self, dsn: str, tell: Callable[[Change], None]) -> None:
        self._dsn = dsn
        self._tell = tell

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("install changes are not heard", fault=type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": "registry_service watch"},
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._tell(Resync())
            _log.info("install changes are heard")
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(PING_SECONDS):
                        await lost.wait()
                        return
                await connection.execute("select", timeout=ANSWER_SECONDS)
        finally:
            connection.terminate()  # a polite close would wait for a server that may be gone

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        try:
            change = change_of(str(payload))
        except ValueError:
            _log.error("an install change cannot be read")
            change = Resync()
        self._tell(change)


def change_of(payload: str) -> Change:
    """The change that a notification tells.

    Raises:
        ValueError: it tells none.
    """
    try:
        told = parse_json(payload.encode(), max_bytes=_MAX_PAYLOAD)
        if isinstance(told, dict):
            return _version_change(told) if "version_id" in told else _install_change(told)
    except (ArgumentInvalidError, KeyError, TypeError, ValueError):
        pass
    raise ValueError("this is no change")


def _install_change(told: Mapping[str, JsonValue]) -> InstallChange:
    revision = told["revision"]
    if not isinstance(revision, int) or isinstance(revision, bool):
        raise TypeError
    return InstallChange(
        TenantId(uuid.UUID(str(told["tenant_id"]))),
        InstallId(uuid.UUID(str(told["install_id"]))),
        RegistryId(uuid.UUID(str(told["registry_id"]))),
        revision,
    )


def _version_change(told: Mapping[str, JsonValue]) -> VersionChange:
    return VersionChange(
        VersionId(uuid.UUID(str(told["version_id"]))),
        parse_content_hash(str(told["content_hash"])),
        told["quarantined"] is True,
    )
