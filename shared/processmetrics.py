"""What Prometheus sees of any process of ours, whatever it does: its version, its resources, the requests that it answers."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Clock

CODES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_UNCOUNTED: Final = frozenset({"/healthz", "/readyz", "/metrics"})  # asked for all the time, by nobody who waits

_described: WeakSet[CollectorRegistry] = WeakSet()


def describe_process(registry: CollectorRegistry, service: str, version: str) -> None:
    """Put `floorwatch_build_info`, and processor time, memory, open files and start of this process, on `registry`, once."""
    if registry in _described:
        return
    _described.add(registry)
    ProcessCollector(registry=registry)
    build = Gauge(
        "floorwatch_build_info",
        "Always 1; the labels say which service in which version this process is",
        ["service", "version"],
        registry=registry,
    )
    build.labels(service, version).set(1)


class RequestMetrics:
    """Answers by the first digit of their code, and how long they took. No path as a label: pages and probes ask what they like.

    Probes and Prometheus itself are left out; a WebSocket is no request, each service has figures of its own for them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        answers = Counter("http_requests", "Requests answered, by the class of their code", ["code"], registry=registry)
        self._answers = {code: answers.labels(code) for code in CODES}
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "From a request's head to the end of its answer",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=registry,
        )

    @classmethod
    def on(cls, registry: CollectorRegistry) -> RequestMetrics:
        """Those of `registry`, which two apps may share."""
        found = _requests.get(registry)
        if found is None:
            found = _requests[registry] = cls(registry)
        return found

    def answered(self, code: int, took_s: float) -> None:
        """Count one."""
        self._answers[CODES[min(max(code // 100, 1), 5) - 1]].inc()
        self._seconds.observe(took_s)


_requests: WeakKeyDictionary[CollectorRegistry, RequestMetrics] = WeakKeyDictionary()


class CountingRequests:
    """Counts every request that the application inside answers; one that ends without an answer is a 5xx."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNCOUNTED:
            await self._app(scope, receive, send)
            return
        began, code = self._clock.monotonic(), 500

        async def noting(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.answered(code, self._clock.monotonic() - began)
