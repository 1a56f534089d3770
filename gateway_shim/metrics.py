"""What a gateway counts. No label holds a value that a caller, a tenant or an extension chose."""

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram

from shared.telemetry.metrics import SECONDS

Route = Literal["invoke", "probe"]
Resolution = Literal["hit", "known_missing", "asked", "joined"]
RetryCause = Literal["refused", "lost"]


class GatewayMetrics:
    """Requests, resolutions and repeated dispatches of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "extension_gateway_requests",
            "Requests answered; reason is that of the problem, if there was one.",
            ("route", "status", "reason"),
            registry=registry,
        )
        self._seconds = Histogram(
            "extension_gateway_request_seconds",
            "Time to answer a request.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self._resolutions = Counter(
            "extension_gateway_resolutions",
            "How installs were resolved.",
            ("how",),
            registry=registry,
        )
        self._retries = Counter(
            "extension_gateway_dispatch_retries",
            "Calls that were sent to a runner once more.",
            ("cause",),
            registry=registry,
        )
        self._children: dict[tuple[str, int, str], Counter] = {}
        self._resolved: dict[str, Counter] = {}
        self._durations: dict[str, Histogram] = {}

    def answered(self, route: Route, status: int, reason: str, seconds: float) -> None:
        """Counts one request; `reason` is empty or one of `shared.errors`' reasons."""
        key = (route, status // 100, reason)
        child = self._children.get(key)
        if child is None:
            child = self._requests.labels(route, f"{status // 100}xx", reason.lower())
            self._children[key] = child
        child.inc()
        duration = self._durations.get(route)
        if duration is None:
            duration = self._durations[route] = self._seconds.labels(route)
        duration.observe(seconds)

    def resolved(self, how: Resolution) -> None:
        """Counts one resolution."""
        child = self._resolved.get(how)
        if child is None:
            child = self._resolved[how] = self._resolutions.labels(how)
        child.inc()

    def retried(self, cause: RetryCause) -> None:
        """Counts one repeated dispatch."""
        self._retries.labels(cause).inc()
