"""Which install serves a call: asked of the registry once, then remembered for a few seconds.

A burst of first calls asks once. What the registry tells to have changed is forgotten at once. That
an install is missing is remembered too, for a second at most and apart from the rest, so that
guessing names cannot push out what is in use.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from gateway_shim.endpoint_match import EndpointMatcher
from gateway_shim.metrics import GatewayMetrics
from shared.clock import Clock
from shared.errors import ExtensionNotAvailableError
from shared.identifiers import InstallId, TenantId, VersionId
from shared.install_changes import Change, InstallChange, Resync, VersionChange

MAX_RESOLVED = 10_000
MAX_MISSING = 2_000
MAX_MISSING_SECONDS = 1.0
GRANT_MARGIN_SECONDS = 5.0
"""A grant is not used in its last seconds: the call that it allows must reach a runner first."""


@dataclass(frozen=True, slots=True)
class ResolvedInstall:
    """What is needed to call one install: where it may go, and under which grant."""

    install_id: InstallId
    version_id: VersionId
    matcher: EndpointMatcher
    config_json: str
    invocation_grant: str
    grant_expires_at: datetime


class InstallSource(Protocol):
    """Knows the installs of every tenant."""

    async def resolve_install(self, tenant_id: TenantId, extension: str) -> ResolvedInstall | None:
        """The tenant's active install, or None.

        Raises:
            BundleUntrustedError, BundleStoreUnavailableError: its version is not trusted any more,
                or nobody can say now whether it is.
            RegistryUnavailableError: it cannot be asked now.
            DeadlineExceededError: it took too long.
        """
        ...


_Key = tuple[TenantId, str]
_Value = TypeVar("_Value")


class Resolver:
    """Resolves installs, with a bounded memory."""

    def __init__(
        self,
        *,
        source: InstallSource,
        cache_seconds: float,
        clock: Clock,
        metrics: GatewayMetrics,
    ) -> None:
        self._source = source
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._metrics = metrics
        self._resolved: dict[_Key, tuple[ResolvedInstall, float]] = {}
        self._missing: dict[_Key, float] = {}
        self._asking: dict[_Key, asyncio.Task[ResolvedInstall | None]] = {}

    async def resolve(self, tenant_id: TenantId, extension: str) -> ResolvedInstall:
        """The tenant's active install of `extension`.

        Args:
            tenant_id: the caller's tenant.
            extension: an install id, a registry id or `publisher.name`, in lower case.

        Raises:
            ExtensionNotAvailableError: the tenant has no such install, or it is disabled.
            BundleUntrustedError, BundleStoreUnavailableError: as `InstallSource`.
            RegistryUnavailableError: the registry cannot be asked now.
            DeadlineExceededError: the registry took too long.
        """
        key = (tenant_id, extension)
        now = self._clock.monotonic()
        if (found := self._resolved.get(key)) and now < found[1]:
            self._metrics.resolved("hit")
            return found[0]
        if now < self._missing.get(key, 0.0):
            self._metrics.resolved("known_missing")
            raise ExtensionNotAvailableError
        if (asking := self._asking.get(key)) is None:
            self._metrics.resolved("asked")
            asking = asyncio.get_running_loop().create_task(self._ask(key))
            self._asking[key] = asking
        else:
            self._metrics.resolved("joined")
        install = await asyncio.shield(asking)  # a caller that leaves takes no other's answer away
        if install is None:
            raise ExtensionNotAvailableError
        return install

    def forget(self, change: Change) -> None:
        """Forgets what a change made wrong; also what is being asked now, for those who come later.

        It looks at all that is remembered: changes are rare beside calls.
        """
        match change:
            case Resync():
                self._resolved.clear()
                self._missing.clear()
                self._asking.clear()
            case InstallChange():
                self._drop(lambda install: install.install_id == change.install_id)
                # names that were missing may be names of this install
                tenant_id = change.tenant_id
                self._missing = {k: v for k, v in self._missing.items() if k[0] != tenant_id}
                self._asking = {k: v for k, v in self._asking.items() if k[0] != tenant_id}
            case VersionChange():
                self._drop(lambda install: install.version_id == change.version_id)
                self._missing.clear()
                self._asking.clear()

    def forget_grant(self, tenant_id: TenantId, extension: str, install: ResolvedInstall) -> None:
        """Forgets an install whose grant a runner called void, unless it was resolved anew."""
        key = (tenant_id, extension)
        if (found := self._resolved.get(key)) and found[0] is install:
            del self._resolved[key]

    def _drop(self, is_stale: Callable[[ResolvedInstall], bool]) -> None:
        for key in [key for key, (install, _) in self._resolved.items() if is_stale(install)]:
            del self._resolved[key]

    async def _ask(self, key: _Key) -> ResolvedInstall | None:
        try:
            install = await self._source.resolve_install(*key)
        finally:
            is_fresh = self._asking.get(key) is asyncio.current_task()
            if is_fresh:
                del self._asking[key]
        if is_fresh:
            self._keep(key, install)
        return install

    def _keep(self, key: _Key, install: ResolvedInstall | None) -> None:
        now = self._clock.monotonic()
        if install is None:
            self._resolved.pop(key, None)
            _remember(
                self._missing, key, now + min(self._cache_seconds, MAX_MISSING_SECONDS), MAX_MISSING
            )
            return
        left = (install.grant_expires_at - self._clock.now()).total_seconds()
        until = now + min(self._cache_seconds, left - GRANT_MARGIN_SECONDS)
        _remember(self._resolved, key, (install, until), MAX_RESOLVED)


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value, limit: int) -> None:
    """Keeps `value` as the newest; forgets the oldest when there are too many."""
    memory.pop(key, None)
    if len(memory) >= limit:
        del memory[next(iter(memory))]
    memory[key] = value
