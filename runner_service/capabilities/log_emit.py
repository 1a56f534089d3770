"""`cap:log.emit`: lines for the publisher, in the execution's record."""

from typing import ClassVar, Final

from runner_service.abi.values import Value
from runner_service.backends.backends import Backends
from runner_service.capabilities.capability import Answers
from runner_service.guest_log import Level
from runner_service.invocation import Invocation
from shared.capabilities import LOG_EMIT

_LEVELS: Final = {"log-info": Level.INFO, "log-warn": Level.WARN, "log-error": Level.ERROR}


class LogEmit:
    """Adds to the invocation's bounded log; the lines never reach the platform's own log."""

    name = LOG_EMIT
    interface = "alga:extension/logging"
    denials: ClassVar[Answers] = dict.fromkeys(_LEVELS)

    def __init__(self, _backends: Backends) -> None: ...

    def call(self, invocation: Invocation, function: str, arguments: tuple[Value, ...]) -> Value:
        """Answers `log-info`, `log-warn` and `log-error`."""
        invocation.log.add(_LEVELS[function], str(arguments[0]))
        return None
