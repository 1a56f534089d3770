"""Compiled components that are ready to run: those used last, up to a number of bytes."""

from collections import OrderedDict

from runner_service.bundle_cache.artefacts import Artefact
from runner_service.engine import CompiledComponent
from runner_service.metrics import CacheMetrics
from shared.identifiers import ContentHash


class ComponentMemory:
    """An LRU by bytes of machine code. The last one added stays, however large it is."""

    def __init__(self, *, max_bytes: int, metrics: CacheMetrics) -> None:
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._bytes = 0
        self._artefacts: OrderedDict[ContentHash, Artefact] = OrderedDict()

    def get(self, content_hash: ContentHash) -> CompiledComponent | None:
        """The component of this bundle, if it is here."""
        artefact = self._artefacts.get(content_hash)
        if artefact is None:
            return None
        self._artefacts.move_to_end(content_hash)
        return artefact.component

    def put(self, content_hash: ContentHash, artefact: Artefact) -> None:
        """Adds it, and lets go of those that were not used for longest.

        A component that is let go lives on until the last call that runs it has ended.
        """
        if replaced := self._artefacts.pop(content_hash, None):
            self._bytes -= replaced.size_bytes
        self._artefacts[content_hash] = artefact
        self._bytes += artefact.size_bytes
        while self._bytes > self._max_bytes and len(self._artefacts) > 1:
            _, oldest = self._artefacts.popitem(last=False)
            self._bytes -= oldest.size_bytes
        self._metrics.kept("memory", self._bytes)
