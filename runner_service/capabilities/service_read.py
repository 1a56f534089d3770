"""`cap:service.read`: the tenant's services and products."""

from typing import ClassVar

from runner_service.abi.values import Err
from runner_service.capabilities.capability import Answers
from runner_service.capabilities.unoffered import Unoffered
from shared.capabilities import SERVICE_READ


class ServiceRead(Unoffered):
    """The host has no services to show yet."""

    name = SERVICE_READ
    interface = "alga:extension/services"
    denials: ClassVar[Answers] = {
        "list-services": Err("not-allowed"),
        "get-service": Err("not-allowed"),
    }
    failures: ClassVar[Answers] = {"list-services": Err("internal"), "get-service": Err("internal")}
