"""`cap:secrets.get`: the install's secrets."""

from collections.abc import Mapping
from typing import ClassVar, Final

from runner_service.abi.values import Err, Ok, Value
from runner_service.backends.backends import Backends
from runner_service.capabilities.capability import Answers
from runner_service.invocation import Invocation
from shared.capabilities import SECRETS_GET
from shared.errors import (
    CapabilityNotGrantedError,
    ExtensionError,
    GuestTimedOutError,
    InvocationGrantInvalidError,
    SecretExpiredError,
    SecretNotFoundError,
)

_MAX_KEY: Final = 128

_ERRORS: Final[Mapping[type[ExtensionError], str]] = {
    SecretNotFoundError: "missing",
    SecretExpiredError: "expired",
    CapabilityNotGrantedError: "denied",
    InvocationGrantInvalidError: "denied",
}


class SecretsGet:
    """Hands a guest its install's secrets, by name.

    `list-keys` cannot tell of a failure: the interface has no error there, and so it gives none.
    """

    name = SECRETS_GET
    interface = "alga:extension/secrets"
    denials: ClassVar[Answers] = {"get": Err("denied"), "list-keys": []}

    def __init__(self, backends: Backends) -> None:
        self._wait_for = backends.bridge.wait_for
        self._secrets = backends.secrets

    def call(self, invocation: Invocation, function: str, arguments: tuple[Value, ...]) -> Value:
        """Answers `get` and `list-keys`."""
        match function, arguments:
            case "get", (str(key),):
                return self._get(invocation, key)
            case "list-keys", ():
                return self._list_keys(invocation)
        raise TypeError(f"secrets.{function} was called with other types than the world's")

    def _get(self, invocation: Invocation, key: str) -> Value:
        if len(key) > _MAX_KEY:  # only the size; the registry decides on the grammar
            return Err("missing")
        try:
            opened = self._wait_for(self._secrets.get(invocation, key), invocation)
        except GuestTimedOutError:
            raise
        except ExtensionError as error:
            return Err(_ERRORS.get(type(error), "internal"))
        return Ok(opened.secret.reveal())

    def _list_keys(self, invocation: Invocation) -> Value:
        try:
            return list(self._wait_for(self._secrets.list_keys(invocation), invocation))
        except GuestTimedOutError:
            raise
        except ExtensionError:
            return []
