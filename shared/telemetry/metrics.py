"""Prometheus metrics that several processes keep, and the port that shows them.

A metric belongs to the registry that its process makes at start; nothing is registered on import.
No label ever holds a value that a guest, a tenant or a caller chose.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Histogram, start_http_server

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class RpcMetrics:
    """How long the calls that this process serves take, by method and code."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "extension_rpc_server_seconds",
            "Time to serve a call.",
            ("method", "code"),
            buckets=SECONDS,
            registry=registry,
        )
        self._children: dict[tuple[str, str], Histogram] = {}

    def observe(self, method: str, code: str, seconds: float) -> None:
        """Counts one served call. `method` is one that this process serves, so it is bounded."""
        child = self._children.get((method, code))
        if child is None:
            child = self._children[method, code] = self._seconds.labels(method, code)
        child.observe(seconds)


@contextmanager
def metrics_port(registry: CollectorRegistry, listen: str) -> Iterator[int]:
    """Serves `/metrics` from a thread of its own, off any event loop; gives the port.

    Args:
        registry: what to show.
        listen: `host:port`; port 0 picks a free one.

    Raises:
        OSError: the address cannot be bound.
    """
    host, _, port = listen.rpartition(":")
    server, thread = start_http_server(int(port), addr=host, registry=registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
