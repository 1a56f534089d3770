"""Secrets that were asked for a moment ago, so that not every call of a guest asks again."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeAlias

from runner_service.backends.secrets import OpenedSecret, SecretsBackend
from runner_service.invocation import Invocation
from shared.capabilities import SECRETS_GET
from shared.clock import Clock
from shared.errors import CapabilityNotGrantedError
from shared.identifiers import InstallId, TenantId

MAX_REMEMBERED: Final = 4096
LONGEST: Final = timedelta(seconds=30)

_Place: TypeAlias = tuple[TenantId, InstallId, str]


class RememberedSecrets:
    """A `SecretsBackend` that keeps what another one gave: the newest few thousand.

    A value is kept no longer than its backend allows, and 30 seconds at most whatever the clocks
    of the two say. What is missing is not remembered: it may be set at any moment.
    """

    def __init__(
        self, *, backend: SecretsBackend, clock: Clock, max_remembered: int = MAX_REMEMBERED
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._max_remembered = max_remembered
        self._opened: OrderedDict[_Place, OpenedSecret] = OrderedDict()

    async def get(self, invocation: Invocation, key: str) -> OpenedSecret:
        """See `SecretsBackend.get`."""
        grant = invocation.grant
        if SECRETS_GET not in grant.capabilities:  # it may have been taken away meanwhile
            raise CapabilityNotGrantedError
        place = (grant.tenant_id, grant.install_id, key)
        kept = self._opened.get(place)
        if kept is not None and self._clock.now() < kept.keep_until:
            return kept
        self._opened.pop(place, None)
        opened = await self._backend.get(invocation, key)
        keep_until = min(opened.keep_until, self._clock.now() + LONGEST)
        kept = self._opened[place] = OpenedSecret(opened.secret, keep_until)
        self._forget()
        return kept

    async def list_keys(self, invocation: Invocation) -> Sequence[str]:
        """See `SecretsBackend.list_keys`."""
        return await self._backend.list_keys(invocation)

    def _forget(self) -> None:
        """Lets go of what may not be kept any longer, and of the oldest when there is too much."""
        now = self._clock.now()
        while self._opened:
            oldest = next(iter(self._opened.values()))
            if len(self._opened) <= self._max_remembered and now < oldest.keep_until:
                return
            self._opened.popitem(last=False)
