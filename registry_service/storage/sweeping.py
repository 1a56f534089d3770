"""Removes expired records of installs that nobody writes to.

Expired records are never served, and each write removes those of its own install first, so this
only gives room back; an hour more or less does not matter.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from registry_service.storage.store import RecordStore
from registry_service.tenants import TenantStore, every_tenant
from shared.errors import ExtensionError

EVERY_SECONDS: Final = 3600.0

_log = structlog.get_logger(__name__)


class Sweeper:
    """Goes through all tenants, one at a time."""

    def __init__(self, *, tenants: TenantStore, records: RecordStore) -> None:
        self._tenants = tenants
        self._records = records

    async def sweep(self) -> int:
        """Removes what has expired; gives how many records.

        Raises:
            RegistryUnavailableError: the database does not answer.
        """
        swept = 0
        async for tenant_id in every_tenant(self._tenants):
            swept += await self._records.sweep(tenant_id)
        return swept

    @asynccontextmanager
    async def sweeping(self, every_seconds: float = EVERY_SECONDS) -> AsyncIterator[None]:
        """Sweeps now and then while the block runs."""
        task = asyncio.create_task(self._forever(every_seconds), name="sweep records")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _forever(self, every_seconds: float) -> None:
        while True:
            # registries that start together should not sweep together
            await asyncio.sleep(every_seconds * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            try:
                if swept := await self.sweep():
                    _log.info("expired records removed", records=swept)
            except ExtensionError as error:
                _log.warning("sweeping failed; it is tried again", reason=error.reason)
