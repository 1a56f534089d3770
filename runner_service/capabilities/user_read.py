"""`cap:user.read`: the person on whose behalf the call is made, in both of its shapes."""

from typing import ClassVar

from runner_service.abi.values import Err, Ok, Value
from runner_service.backends.backends import Backends
from runner_service.capabilities.capability import Answers
from runner_service.invocation import Invocation, User
from shared.capabilities import USER_READ


class UserRead:
    """The first shape."""

    name = USER_READ
    interface = "alga:extension/user"
    denials: ClassVar[Answers] = {"get-user": Err("not-allowed")}

    def __init__(self, _backends: Backends) -> None: ...

    def call(self, invocation: Invocation, _function: str, _arguments: tuple[Value, ...]) -> Value:
        """Answers `get-user`."""
        if invocation.user is None:
            return Err("not-available")
        return Ok(_data(invocation, invocation.user))


class UserReadV2:
    """The second shape, with the client that the user acts for."""

    name = USER_READ
    interface = "alga:extension/user-v2"
    denials: ClassVar[Answers] = {"get-user": Err("not-allowed")}

    def __init__(self, _backends: Backends) -> None: ...

    def call(self, invocation: Invocation, _function: str, _arguments: tuple[Value, ...]) -> Value:
        """Answers `get-user`."""
        user = invocation.user
        if user is None:
            return Err("not-available")
        more: dict[str, Value] = {"client-id": user.client_id, "additional-fields": []}
        return Ok(_data(invocation, user) | more)


def _data(invocation: Invocation, user: User) -> dict[str, Value]:
    return {
        "tenant-id": str(invocation.grant.tenant_id),
        "client-name": user.client_name,
        "user-id": user.user_id,
        "user-email": user.email,
        "user-name": user.name,
        "user-type": user.kind,
    }
