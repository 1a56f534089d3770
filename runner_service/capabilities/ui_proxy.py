"""`cap:ui.proxy`: routes that the host offers to an extension's pages."""

from typing import ClassVar

from runner_service.abi.values import Err
from runner_service.capabilities.capability import Answers
from runner_service.capabilities.unoffered import Unoffered
from shared.capabilities import UI_PROXY


class UiProxy(Unoffered):
    """The host offers no route yet."""

    name = UI_PROXY
    interface = "alga:extension/ui-proxy"
    denials: ClassVar[Answers] = {"call-route": Err("denied")}
    failures: ClassVar[Answers] = {"call-route": Err("route-not-found")}
