"""What the runner counts. No label holds a value that a guest, tenant or caller chose."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.telemetry.metrics import SECONDS


class ExecutionMetrics:
    """Invocations, and what they were denied."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "extension_runner_invocation_seconds",
            "Time from receiving a call to its answer, by outcome.",
            ("outcome",),
            buckets=SECONDS,
            registry=registry,
        )
        self._cold = Counter(
            "extension_runner_cold_starts",
            "Calls that had to wait for their component.",
            registry=registry,
        )
        self._denied = Counter(
            "extension_runner_denied_host_calls",
            "Host calls denied because the capability was not granted.",
            ("capability",),
            registry=registry,
        )
        self._dropped_lines = Counter(
            "extension_runner_guest_log_lines_dropped",
            "Guest log lines over the limit of their call.",
            registry=registry,
        )

    def finished(self, *, outcome: str, seconds: float, cold: bool) -> None:
        """Counts an execution; `outcome` is "ok" or the lower-case reason of its failure."""
        self._seconds.labels(outcome).observe(seconds)
        if cold:
            self._cold.inc()

    def denied(self, capability: str, count: int) -> None:
        """Counts denied calls; `capability` is one that the platform names."""
        self._denied.labels(capability.removeprefix("cap:")).inc(count)

    def dropped_log_lines(self, count: int) -> None:
        """Counts lines that a call logged over its limit."""
        self._dropped_lines.inc(count)


class AdmissionMetrics:
    """How full the runner is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._running = Gauge(
            "extension_runner_in_flight", "Calls that hold a slot.", registry=registry
        )
        self._waiting = Gauge(
            "extension_runner_queue_depth", "Calls that wait for a slot.", registry=registry
        )
        self._refused = Counter(
            "extension_runner_refused",
            "Calls refused before they started.",
            ("cause",),
            registry=registry,
        )

    def load(self, *, running: int, waiting: int) -> None:
        """Sets both gauges."""
        self._running.set(running)
        self._waiting.set(waiting)

    def refused(self, cause: str) -> None:
        """Counts a refusal: "draining", "queue_full" or "tenant_limit"."""
        self._refused.labels(cause).inc()


class CacheMetrics:
    """Where components came from, and what is kept."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._found = Counter(
            "extension_runner_component_lookups",
            "Lookups of compiled components, by where they were found.",
            ("source",),
            registry=registry,
        )
        self._bytes = Gauge(
            "extension_runner_cache_bytes",
            "Bytes of compiled components that are kept.",
            ("tier",),
            registry=registry,
        )
        self._corrupt = Counter(
            "extension_runner_corrupt_artefacts",
            "Compiled components on disk that were changed by someone else, and removed.",
            registry=registry,
        )

    def found(self, source: str) -> None:
        """Counts a lookup: "memory", "disk" or "compiled"."""
        self._found.labels(source).inc()

    def kept(self, tier: str, count: int) -> None:
        """Sets how many bytes "memory" or "disk" keeps."""
        self._bytes.labels(tier).set(count)

    def corrupt(self) -> None:
        """Counts an artefact that failed its check."""
        self._corrupt.inc()


class ReportMetrics:
    """What waits for the execution log, and what never reaches it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._depth = Gauge(
            "extension_runner_report_queue_depth",
            "Finished executions that wait to be recorded.",
            registry=registry,
        )
        self._shipped = Counter(
            "extension_runner_reports_shipped", "Executions recorded.", registry=registry
        )
        self._lost = Counter(
            "extension_runner_reports_lost",
            "Executions that will never be recorded.",
            ("cause",),
            registry=registry,
        )
        self._lost_lines = Counter(
            "extension_runner_report_lines_lost",
            "Log lines given up to keep the records of their calls.",
            registry=registry,
        )

    def depth(self, count: int) -> None:
        """Sets how many wait."""
        self._depth.set(count)

    def shipped(self, count: int) -> None:
        """Counts executions that the log has."""
        self._shipped.inc(count)

    def lost(self, count: int, cause: str) -> None:
        """Counts lost executions: "backlog_full", "rejected" or "shutdown"."""
        self._lost.labels(cause).inc(count)

    def lost_lines(self, count: int) -> None:
        """Counts log lines that were given up."""
        self._lost_lines.inc(count)
