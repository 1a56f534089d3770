"""From a grant to a component that can run: memory, then disk, then the bundle store."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from runner_service.bundle_cache.artefacts import Artefact, Artefacts
from runner_service.bundle_cache.bundle_trust import BundleTrust
from runner_service.bundle_cache.component_memory import ComponentMemory
from runner_service.engine import CompiledComponent, Engine
from runner_service.metrics import CacheMetrics
from shared.bundles.archive import read_bundle
from shared.bundles.component import check_component
from shared.bundles.fetch import fetch_bundle
from shared.bundles.layout import COMPONENT_PATH
from shared.bundles.store import BundleStore
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

_COMPILATIONS: Final = 2
"""Bundles that are compiled at once: each takes many megabytes, and every core for seconds."""
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
        engine: Engine,
        memory: ComponentMemory,
        artefacts: Artefacts,
        metrics: CacheMetrics,
    ) -> None:
        self._store = store
        self._trust = trust
        self._engine = engine
        self._memory = memory
        self._artefacts = artefacts
        self._metrics = metrics
        self._loading: dict[ContentHash, asyncio.Task[CompiledComponent]] = {}
        self._compiling = asyncio.Semaphore(_COMPILATIONS)
        self._refused: OrderedDict[ContentHash, ComponentInvalidError] = OrderedDict()

    async def component(self, grant: InvocationGrant) -> Loaded:
        """The component of the bundle that the grant names.

        Raises:
            BundleUntrustedError: the runner does not trust its signature.
            BundleUnavailableError: the store does not give the bundle or its signature.
            ContentHashMismatchError: the store gave other bytes.
            ComponentInvalidError: the bundle holds no component of this world.
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
        artefact = await asyncio.to_thread(self._artefacts.load, content_hash)
        self._metrics.found("disk" if artefact else "compiled")
        if artefact is None:
            async with self._compiling:
                packed = await self._fetch(content_hash)
                artefact = await asyncio.to_thread(self._compile, content_hash, packed)
        self._memory.put(content_hash, artefact)
        return artefact.component

    async def _fetch(self, content_hash: ContentHash) -> bytes:
        try:
            return await fetch_bundle(self._store, content_hash)
        except (BundleNotFoundError, BundleStoreUnavailableError) as error:
            raise BundleUnavailableError(error.message) from None
        except BundleTooLargeError as error:
            raise ComponentInvalidError(error.message) from None

    def _compile(self, content_hash: ContentHash, packed: bytes) -> Artefact:
        """Reads exactly one file of the bundle; precompiled code in it is never looked at."""
        try:
            files = read_bundle(packed)
        except (BundleInvalidError, BundleTooLargeError) as error:
            raise ComponentInvalidError(f"The bundle cannot be read: {error.message}") from None
        component = files.get(COMPONENT_PATH)
        if component is None:
            raise ComponentInvalidError(f"The bundle has no {COMPONENT_PATH}.")
        check_component(component)
        return self._artefacts.save(content_hash, self._engine.compile(component))
