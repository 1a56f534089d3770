"""`cap:client.read`: the tenant's clients."""

from typing import ClassVar

from runner_service.abi.values import Err
from runner_service.capabilities.capability import Answers
from runner_service.capabilities.unoffered import Unoffered
from shared.capabilities import CLIENT_READ


class ClientRead(Unoffered):
    """The host has no clients to show yet."""

    name = CLIENT_READ
    interface = "alga:extension/clients"
    denials: ClassVar[Answers] = {
        "list-clients": Err("not-allowed"),
        "get-client": Err("not-allowed"),
    }
    failures: ClassVar[Answers] = {"list-clients": Err("internal"), "get-client": Err("internal")}
