"""Where guests' secrets come from: the port."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from runner_service.invocation import Invocation
from shared.secret import Secret


@dataclass(frozen=True, slots=True)
class OpenedSecret:
    """A secret, and until when it may be kept."""

    secret: Secret
    keep_until: datetime


class SecretsBackend(Protocol):
    """The secrets of the install that an invocation's grant names; no call can name another.

    Every method may raise CapabilityNotGrantedError, InvocationGrantInvalidError, or the errors of
    an unreachable backend.
    """

    async def get(self, invocation: Invocation, key: str) -> OpenedSecret:
        """The secret.

        Raises:
            SecretNotFoundError: there is none of that name.
            SecretExpiredError: it has expired.
            SecretsUnavailableError: it cannot be opened now.
        """
        ...

    async def list_keys(self, invocation: Invocation) -> Sequence[str]:
        """The names of those that have not expired, sorted."""
        ...
