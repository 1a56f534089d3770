"""What is kept about publishing besides the versions: who tried what, and what names there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from registry_service.catalog.model import PublishCheck
from shared.identifiers import ContentHash, RegistryId


@dataclass(frozen=True, slots=True)
class PublishAttempt:
    """A publish that was refused; `version` is what the manifest said, if it could be read."""

    version: str
    content_hash: ContentHash
    attempted_at: datetime
    checks: tuple[PublishCheck, ...]


@dataclass(frozen=True, slots=True)
class SimilarName:
    """An entry of another publisher: the same name, or one that looks the same."""

    publisher: str
    name: str
    looks_alike: bool
    """Whether the two differ, publisher and all, only by characters that are easily confused."""


class PublishRecords(Protocol):
    """Every method may raise RegistryUnavailableError."""

    async def similar_names(self, publisher: str, name: str) -> Sequence[SimilarName]:
        """Other publishers' entries that might be taken for this one; bounded."""
        ...

    async def keep_attempt(
        self,
        registry_id: RegistryId,
        version: str,
        content_hash: ContentHash,
        checks: Sequence[PublishCheck],
    ) -> None:
        """Keeps what was found; of each entry the last hundred are kept."""
        ...

    async def attempts(
        self, registry_id: RegistryId, version: str, *, limit: int
    ) -> Sequence[PublishAttempt]:
        """Refused publishes, newest first; empty text means of any version."""
        ...
