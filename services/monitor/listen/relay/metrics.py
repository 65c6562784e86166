"""The relay's Prometheus metrics: read off when they are asked for, so that a frame costs none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.monitor.listen.relay.hub import Hub


class RelayCollector(Collector):
    """Everything that the hub counts, all label values from the start."""

    def __init__(
        self,
        hub: Hub,
        stall_s: Callable[[], float],
        reports: Callable[[], int],
        lost_reports: Callable[[], int],
        bad_orders: Callable[[], int],
    ) -> None:
        self._hub = hub
        self._stall_s = stall_s
        self._reports = reports
        self._lost_reports = lost_reports
        self._bad_orders = bad_orders

    def register(self, registry: CollectorRegistry) -> None:
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        yield from self._gauges()
        yield from self._counters()
        counts = self._hub.counts
        yield _labelled("relay_refused", "Connections of switches that were refused", "reason", counts.refused)
        yield _labelled("relay_forks_over", "Forks that ended, by how", "how", counts.downs)
        yield _labelled("relay_listeners_left", "Pages that left, by how", "how", counts.lefts)

    def _gauges(self) -> Iterator[Metric]:
        hub = self._hub
        up = sum(fork.up for fork in hub.forks.values())
        forks = GaugeMetricFamily("relay_forks", "Forks now: up, or ordered and awaited", labels=["state"])
        forks.add_metric(["up"], up)
        forks.add_metric(["awaited"], len(hub.forks) - up)
        yield forks
        yield GaugeMetricFamily("relay_listeners", "Pages that listen now", len(hub.listeners))
        yield GaugeMetricFamily("relay_connections", "Connections of switches now", hub.counts.connections)
        yield GaugeMetricFamily(
            "relay_loop_stall_seconds",
            "The longest time that nothing had a turn, of the last minute or two",
            self._stall_s(),
        )
        yield GaugeMetricFamily("relay_reports_waiting", "Reports that wait for the broker", self._reports())

    def _counters(self) -> Iterator[Metric]:
        counts, forks, listeners = self._hub.counts, self._hub.forks.values(), self._hub.listeners.values()
        for one in listeners:
            one.settle()
        yield CounterMetricFamily(
            "relay_frames_in", "Frames of 20 ms from switches", counts.frames + sum(fork.frames for fork in forks)
        )
        yield CounterMetricFamily(
            "relay_frames_out", "Frames sent to pages", counts.sent_frames + sum(one.sent_frames for one in listeners)
        )
        yield CounterMetricFamily(
            "relay_sent_bytes",
            "Bytes of sound sent to pages",
            counts.sent_bytes + sum(one.sent_bytes for one in listeners),
        )
        discarded = CounterMetricFamily(
            "relay_frames_discarded", "Frames that were dropped, by where", labels=["where"]
        )
        discarded.add_metric(["late"], counts.late + sum(fork.late for fork in forks))
        discarded.add_metric(["listener"], counts.discarded + sum(one.discarded for one in listeners))
        discarded.add_metric(
            ["microphone"],
            counts.spoken_discarded
            + sum(fork.mouth.discarded for fork in forks)
            + sum(one.spoken_refused for one in listeners),
        )
        yield discarded
        spoken = counts.spoken + sum(fork.mouth.spoken for fork in forks)
        yield CounterMetricFamily("relay_frames_spoken", "Frames of microphones sent to switches", spoken)
        yield CounterMetricFamily("relay_odd_frames", "Frames of switches of a kind nobody knows", counts.odd_frames)
        yield CounterMetricFamily(
            "relay_reports_dropped", "Reports given up while the broker was away", self._lost_reports()
        )
        yield CounterMetricFamily(
            "relay_orders_unreadable",
            "Orders of monitors that cannot be read, and were passed over",
            self._bad_orders(),
        )


def _labelled(name: str, what: str, label: str, values: dict[str, int]) -> CounterMetricFamily:
    found = CounterMetricFamily(name, what, labels=[label])
    for value, count in values.items():
        found.add_metric([value], count)
    return found
