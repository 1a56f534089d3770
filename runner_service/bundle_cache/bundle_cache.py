"""From a grant to a component that can run: memory, disk, the fleet's code, then a compiler.

What no compiler has seen yet is compiled in a child process: this one never reads a stranger's
component with a compiler of its own.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from runner_service.bundle_cache.artefacts import Artefact, Artefacts
from runner_service.bundle_cache.bundle_trust import BundleTrust
from runner_service.bundle_cache.component_memory import ComponentMemory
from runner_service.bundle_cache.fleet_artefacts import FleetArtefacts
from runner_service.engine import CompiledComponent
from runner_service.metrics import CacheMetrics
from shared.bundles.archive import read_bundle
from shared.bundles.component import check_component
from shared.bundles.fetch import fetch_bundle
from shared.bundles.layout import COMPONENT_PATH
from shared.bundles.store import BundleStore
from shared.component_compiler import ComponentCompiler
from shared.errors import (
    BundleInvalidError,
    BundleNotFoundError,
    BundleStoreUnavailableError,
    BundleTooLargeError,
    BundleUnavailableError,
    ComponentInvalidError,
)
from shared.identifiers import ContentHash
from shared.tokens.invocation_grant import InvocationGrant

_UNPACKED: Final = 2
"""Bundles that are unpacked and compiled at once: each may take many megabytes."""
_MAX_REFUSED: Final = 256


@dataclass(frozen=True, slots=True)
class Loaded:
    """A component, and whether its caller had to wait for it."""

    component: CompiledComponent
    cold: bool


class BundleCache:
    """Compiled components by content hash, shared by all tenants: the bytes are the same for all.

    Trust is decided for each grant, before anything is looked up.
    """

    def __init__(
        self,
        *,
        store: BundleStore,
        trust: BundleTrust,
        compiler: ComponentCompiler,
        memory: ComponentMemory,
        artefacts: Artefacts,
        fleet: FleetArtefacts | None,
        metrics: CacheMetrics,
    ) -> None:
        self._store = store
        self._trust = trust
        self._compiler = compiler
        self._memory = memory
        self._artefacts = artefacts
        self._fleet = fleet
        self._metrics = metrics
        self._loading: dict[ContentHash, asyncio.Task[CompiledComponent]] = {}
        self._compiling = asyncio.Semaphore(_UNPACKED)
        self._refused: OrderedDict[ContentHash, ComponentInvalidError] = OrderedDict()

    async def component(self, grant: InvocationGrant) -> Loaded:
        """The component of the bundle that the grant names.

        Raises:
            BundleUntrustedError: the runner does not trust its signature.
            BundleUnavailableError: the store does not give the bundle or its signature.
            ContentHashMismatchError: the store gave other bytes.
            ComponentInvalidError: the bundle holds no component of this world.
            CompilerUnavailableError: its component could not be compiled now.
        """
        await self._trust.check(grant)
        content_hash = grant.content_hash
        component = self._memory.get(content_hash)
        if component is not None:
            self._metrics.found("memory")
            return Loaded(component, cold=False)
        if refused := self._refused.get(content_hash):
            raise ComponentInvalidError(refused.message, faults=refused.faults)
        loading = self._loading.get(content_hash)
        if loading is None:
            loading = asyncio.create_task(self._load(content_hash))
            self._loading[content_hash] = loading
            loading.add_done_callback(lambda done: self._loaded(content_hash, done))
        # One caller that gives up must not take the component from the others who wait for it.
        return Loaded(await asyncio.shield(loading), cold=True)

    async def close(self) -> None:
        """Waits for what is still being loaded: no engine may close under a compiler's feet."""
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    def _loaded(self, content_hash: ContentHash, done: "asyncio.Task[CompiledComponent]") -> None:
        del self._loading[content_hash]
        error = None if done.cancelled() else done.exception()
        if isinstance(error, ComponentInvalidError):
            # The hash names these bytes for ever, so they will never compile: not again, then.
            self._refused[content_hash] = error.with_traceback(None)
            if len(self._refused) > _MAX_REFUSED:
                self._refused.popitem(last=False)

    async def _load(self, content_hash: ContentHash) -> CompiledComponent:
        source, artefact = await self._find(content_hash)
        self._metrics.found(source)
        artefact = artefact or await self._compile(content_hash)
        self._memory.put(content_hash, artefact)
        return artefact.component

    async def _find(self, content_hash: ContentHash) -> tuple[str, Artefact | None]:
        artefact = await asyncio.to_thread(self._artefacts.load, content_hash)
        if artefact is not None:
            return "disk", artefact
        if self._fleet is not None:
            artefact = await self._fleet.load(content_hash)
        return "fleet" if artefact is not None else "compiled", artefact

    async def _compile(self, content_hash: ContentHash) -> Artefact:
        async with self._compiling:
            component = await asyncio.to_thread(_component_of, await self._fetch(content_hash))
            compiled = await self._compiler.compile(component)
        return await asyncio.to_thread(self._artefacts.keep, content_hash, compiled.code)

    async def _fetch(self, content_hash: ContentHash) -> bytes:
        try:
            return await fetch_bundle(self._store, content_hash)
        except (BundleNotFoundError, BundleStoreUnavailableError) as error:
            raise BundleUnavailableError(error.message) from None
        except BundleTooLargeError as error:
            raise ComponentInvalidError(error.message) from None


def _component_of(packed: bytes) -> bytes:
    """Reads exactly one file of the bundle; precompiled code in it is never looked at."""
    try:
        files = read_bundle(packed)
    except (BundleInvalidError, BundleTooLargeError) as error:
        raise ComponentInvalidError(f"The bundle cannot be read: {error.message}") from None
    component = files.get(COMPONENT_PATH)
    if component is None:
        raise ComponentInvalidError(f"The bundle has no {COMPONENT_PATH}.")
    check_component(component)
    return component
