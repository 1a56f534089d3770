"""Capabilities that the world names and this version of the platform does not offer yet."""

from typing import ClassVar

from runner_service.abi.values import Value
from runner_service.backends.backends import Backends
from runner_service.capabilities.capability import Answers
from runner_service.invocation import Invocation


class Unoffered:
    """Gives even a guest that has the right no more than the interface's own failure.

    An extension that asks for it is installed and runs; it is told so when it calls.
    """

    failures: ClassVar[Answers]

    def __init__(self, _backends: Backends) -> None: ...

    def call(self, _invocation: Invocation, function: str, _arguments: tuple[Value, ...]) -> Value:
        """The failure of this function."""
        return self.failures[function]
