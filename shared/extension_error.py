"""What every error of the platform is: a reason, a code, a status, and words for people.

The rows are in `shared.errors`; `shared.rpc.status` and `gateway_shim.problem` carry them. This
module knows neither grpc nor HTTP.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class Code(IntEnum):
    """The canonical codes of google.rpc.Code, by number."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Fault:
    """One of several things wrong with an input.

    `path` says where, as `endpoints[2].method`; `code` is stable; `hint` says what to do.
    """

    path: str
    code: str
    message: str
    hint: str = ""


class ExtensionError(Exception):
    """The root: something the platform can explain."""

    reason: ClassVar[str] = ""
    code: ClassVar[Code] = Code.INTERNAL
    http_status: ClassVar[int] = 500
    _by_reason: ClassVar[dict[str, type["ExtensionError"]]] = {}

    def __init_subclass__(cls, *, code: Code, http: int) -> None:
        """Derives the reason from the class name and refuses a second row of the same reason."""
        super().__init_subclass__()
        words = re.findall(r"[A-Z][a-z0-9]*", cls.__name__.removesuffix("Error"))
        cls.reason = "_".join(words).upper()
        cls.code = code
        cls.http_status = http
        if cls.reason in ExtensionError._by_reason:
            raise TypeError(f"two errors share the reason {cls.reason}")
        ExtensionError._by_reason[cls.reason] = cls

    def __init__(
        self,
        message: str = "",
        *,
        faults: Sequence[Fault] = (),
        retry_after_ms: int | None = None,
        **metadata: str,
    ) -> None:
        self.message = message or self.title()
        self.faults = tuple(faults)
        self.retry_after_ms = retry_after_ms
        self.metadata: Mapping[str, str] = metadata
        super().__init__(self.message)

    @classmethod
    def title(cls) -> str:
        """The first line of the class's docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    @staticmethod
    def table() -> Mapping[str, type["ExtensionError"]]:
        """Every row, by reason."""
        return ExtensionError._by_reason
