"""What GET /metrics tells, in the text format of Prometheus."""

from __future__ import annotations

from typing import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters of one service. Threads may share it.

    Attributes:
        requests: answered, by the route's path and status. refused: those for lack of room. encode, search: seconds of a
            search's two parts. in_flight: requests that are being answered.
    """

    def __init__(self):
        self._registry = CollectorRegistry()
        known = {"registry": self._registry, "namespace": "inflate_shrink"}
        self.requests = Counter("requests", "Requests answered.", ("path", "status"), **known)
        self.refused = Counter("refused", "Requests refused for lack of room (503).", **known)
        self.encode = Histogram("encode_seconds", "Encoding of a query.", buckets=_SECONDS, **known)
        self.search = Histogram("search_seconds", "Search of an encoded query.", buckets=_SECONDS, **known)
        self.in_flight = Gauge("in_flight", "Requests that are being answered.", **known)
        self._known = known
        ProcessCollector(registry=self._registry)  # memory, open files, processor time

    def watch(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Tell a number that is asked for when the metrics are read."""
        Gauge(name, help, **self._known).set_function(value)

    def text(self) -> bytes:
        """Return all of them."""
        return generate_latest(self._registry)
