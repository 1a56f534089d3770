"""Code that the registry compiled when a bundle was published: taken if the fleet's MAC holds."""

import asyncio
from typing import Final

import structlog

from runner_service.bundle_cache.artefacts import Artefact, Artefacts
from shared.bundles.fleet_artefact import ArtefactKey
from shared.bundles.store import BundleStore
from shared.component_compiler import MAX_CODE_BYTES
from shared.errors import (
    BundleNotFoundError,
    BundleStoreUnavailableError,
    BundleTooLargeError,
    ComponentInvalidError,
    InternalError,
)
from shared.identifiers import ContentHash

_MAC_ROOM: Final = 1024

_log = structlog.get_logger(__name__)


class FleetArtefacts:
    """Looks beside a bundle for code, before it is compiled here."""

    def __init__(
        self, *, store: BundleStore, key: ArtefactKey, artefacts: Artefacts, fingerprint: str
    ) -> None:
        self._store = store
        self._key = key
        self._artefacts = artefacts
        self._fingerprint = fingerprint

    async def load(self, content_hash: ContentHash) -> Artefact | None:
        """The component, kept on our own disk from now on; None means: compile it."""
        try:
            sealed = await self._store.get(
                self._key.object_key(content_hash, self._fingerprint),
                max_bytes=MAX_CODE_BYTES + _MAC_ROOM,
            )
        except (BundleNotFoundError, BundleStoreUnavailableError, BundleTooLargeError):
            return None
        return await asyncio.to_thread(self._take, content_hash, sealed)

    def _take(self, content_hash: ContentHash, sealed: bytes) -> Artefact | None:
        code = self._key.open(sealed, content_hash=content_hash, fingerprint=self._fingerprint)
        if code is None:
            _log.error("compiled code is not the fleet's; compiling", content_hash=content_hash)
            return None
        try:
            return self._artefacts.keep(content_hash, code)
        except (InternalError, ComponentInvalidError):  # of a machine that has more than ours
            _log.warning("the fleet's compiled code does not fit here", content_hash=content_hash)
            return None
