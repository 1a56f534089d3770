"""`cap:http.fetch`: requests to the hosts that the install allows."""

from typing import ClassVar

from runner_service.abi.values import Err
from runner_service.capabilities.capability import Answers
from runner_service.capabilities.unoffered import Unoffered
from shared.capabilities import HTTP_FETCH


class HttpFetch(Unoffered):
    """Nothing leaves the runner yet."""

    name = HTTP_FETCH
    interface = "alga:extension/http"
    denials: ClassVar[Answers] = {"fetch": Err("not-allowed")}
    failures: ClassVar[Answers] = {"fetch": Err("internal")}
