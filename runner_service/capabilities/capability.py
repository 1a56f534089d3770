"""What a capability is: a right that a grant names, and the interface that it opens."""

from collections.abc import Mapping
from typing import ClassVar, Protocol, TypeAlias

from runner_service.abi.values import Value
from runner_service.backends.backends import Backends
from runner_service.invocation import Invocation

Answers: TypeAlias = Mapping[str, Value]
"""What to answer, by the function that is called."""


class Capability(Protocol):
    """One interface of the guest's world, behind the right that it needs.

    Each lives in a file of its own and is listed in `capabilities.CAPABILITIES`.
    """

    name: str
    """The right, such as `cap:storage.kv`; empty when every extension has it."""
    interface: str
    """Such as `alga:extension/storage`."""
    denials: ClassVar[Answers]
    """For each function, what a guest without the right is told: the interface's own denial."""

    def __init__(self, backends: Backends, /) -> None: ...

    def call(self, invocation: Invocation, function: str, arguments: tuple[Value, ...], /) -> Value:
        """Answers a call of a guest that has the right, on the guest's own thread."""
        ...
