"""Which invocation grants are void although they have not expired.

A grant is void when its install changed after it was issued, or when its version was quarantined.
Each such fact matters for no longer than the grants live that were issued before it, so it is
forgotten then: the registry issues none against it. What is not heard, because the stream is cut,
is bounded by the same lifetime.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from shared.clock import Clock
from shared.errors import InvocationGrantRevokedError
from shared.identifiers import InstallId, VersionId
from shared.install_changes import Change, InstallChange, VersionChange
from shared.tokens.invocation_grant import GRANT_LIFETIME, LEEWAY, InvocationGrant

MAX_REMEMBERED: Final = 100_000
_REMEMBERED_SECONDS: Final = (GRANT_LIFETIME + 2 * LEEWAY).total_seconds()

_Key = TypeVar("_Key", InstallId, VersionId)


class Revocations:
    """What was heard of late."""

    def __init__(self, *, clock: Clock, max_remembered: int = MAX_REMEMBERED) -> None:
        self._revisions: _Recent[InstallId] = _Recent(clock, max_remembered)
        self._quarantined: _Recent[VersionId] = _Recent(clock, max_remembered)

    def note(self, change: Change) -> None:
        """Takes in a change. A resync takes nothing back: what was heard stays true."""
        match change:
            case InstallChange():
                known = self._revisions.get(change.install_id) or 0
                self._revisions.put(change.install_id, max(known, change.revision))
            case VersionChange(quarantined=True):
                self._quarantined.put(change.version_id, 1)
            case VersionChange():
                self._quarantined.drop(change.version_id)

    def require_valid(self, grant: InvocationGrant) -> None:
        """Passes when nothing that was heard makes the grant void.

        Raises:
            InvocationGrantRevokedError: something does.
        """
        revision = self._revisions.get(grant.install_id)
        if revision is not None and grant.revision < revision:
            raise InvocationGrantRevokedError
        if self._quarantined.get(grant.version_id) is not None:
            raise InvocationGrantRevokedError


class _Recent(Generic[_Key]):
    """Numbers by key, each for a while; the oldest give way when there are too many."""

    def __init__(self, clock: Clock, max_remembered: int) -> None:
        self._clock = clock
        self._max_remembered = max_remembered
        self._heard: OrderedDict[_Key, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._heard)

    def get(self, key: _Key) -> int | None:
        found = self._heard.get(key)
        return found[0] if found and self._clock.monotonic() < found[1] else None

    def put(self, key: _Key, value: int) -> None:
        now = self._clock.monotonic()
        self._heard.pop(key, None)
        self._heard[key] = (value, now + _REMEMBERED_SECONDS)
        while len(self._heard) > self._max_remembered or self._oldest_ends_at() <= now:
            self._heard.popitem(last=False)

    def drop(self, key: _Key) -> None:
        self._heard.pop(key, None)

    def _oldest_ends_at(self) -> float:
        return next(iter(self._heard.values()))[1]
