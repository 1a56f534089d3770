"""Guests' secrets in memory: a `SecretsBackend` that passes its conformance suite."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runner_service.backends.secrets import OpenedSecret
from runner_service.invocation import Invocation
from shared.capabilities import SECRETS_GET
from shared.clock import Clock, SystemClock
from shared.errors import CapabilityNotGrantedError, SecretExpiredError, SecretNotFoundError
from shared.identifiers import InstallId
from shared.secret import Secret


@dataclass
class MemorySecrets:
    """Keeps secrets, each with its expiry, by install and key."""

    secrets: dict[tuple[InstallId, str], tuple[Secret, datetime | None]] = field(
        default_factory=dict
    )
    clock: Clock = field(default_factory=SystemClock)
    asked: int = 0

    async def get(self, invocation: Invocation, key: str) -> OpenedSecret:
        _admit(invocation)
        self.asked += 1
        try:
            secret, expires_at = self.secrets[invocation.grant.install_id, key]
        except KeyError:
            raise SecretNotFoundError from None
        now = self.clock.now()
        if expires_at is not None and expires_at <= now:
            raise SecretExpiredError
        keep_until = now + timedelta(seconds=30)
        return OpenedSecret(secret, min(keep_until, expires_at or keep_until))

    async def list_keys(self, invocation: Invocation) -> Sequence[str]:
        _admit(invocation)
        return sorted(
            key
            for (install_id, key), (_, expires_at) in self.secrets.items()
            if install_id == invocation.grant.install_id
            and (expires_at is None or expires_at > self.clock.now())
        )


def _admit(invocation: Invocation) -> None:
    if SECRETS_GET not in invocation.grant.capabilities:
        raise CapabilityNotGrantedError
