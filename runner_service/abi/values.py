"""How values of the guest's world look in Python.

| WIT | Python |
|---|---|
| record | dict, keys as in WIT (`"tenant-id"`) |
| list<u8> | bytes |
| list<T> | list |
| option<T> | None or the value |
| result<T, E> | `Ok(value)` or `Err(value)`; the value is None where WIT has `_` |
| enum | str, the case's name |
| variant | `Case(name, payload)`; the payload is None where a case has none |
| tuple | tuple |
| bool, u8 … s64, f32, f64, string | bool, int, float, str |
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Ok:
    """The good arm of a result."""

    value: "Value" = None


@dataclass(frozen=True, slots=True)
class Err:
    """The bad arm of a result; mostly the name of an enum's case."""

    value: "Value" = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a variant."""

    name: str
    payload: "Value" = None


Value: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | list["Value"]
    | dict[str, "Value"]
    | tuple["Value", ...]
    | Ok
    | Err
    | Case
    | None
)

Headers: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestRequest:
    """One call of an extension's `handler`.

    `url` is what the extension routes on: an absolute path with its query, or a full URL.
    `body` is None when the request has none, which extensions can tell from an empty one.
    """

    tenant_id: str
    extension_id: str
    method: str
    url: str
    request_id: str | None = None
    install_id: str | None = None
    version_id: str | None = None
    headers: Headers = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestResponse:
    """What an extension answered: checked, so that it can be sent as HTTP."""

    status: int
    headers: Headers = ()
    body: bytes | None = None
