"""Prometheus: requests by RPC and status, how long they took, and how many are under way."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The gateway's own registry; label values are bounded by the routes, never taken from a client."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "gateway_requests", "Requests by RPC and HTTP status.", ("rpc", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "gateway_request_seconds",
            "Time to the end of the response.",
            ("rpc",),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self.active = 0
        gauge = Gauge("gateway_active_requests", "Requests under way.", registry=self.registry)
        gauge.set_function(lambda: self.active)
        self._counters: dict[tuple[str, int], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def observe(self, rpc: str, status: int, seconds: float) -> None:
        """Counts one request. `rpc` is empty when no route was found."""
        counter = self._counters.get((rpc, status))
        if counter is None:
            counter = self._counters[rpc, status] = self._requests.labels(rpc, str(status))
        counter.inc()
        timer = self._timers.get(rpc)
        if timer is None:
            timer = self._timers[rpc] = self._seconds.labels(rpc)
        timer.observe(seconds)
