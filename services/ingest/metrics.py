"""What Prometheus sees of ingest: read from the machine when it asks, so that the machine knows no metric."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.marker import Marker
from services.ingest.pipeline import IngestMachine, Source
from shared.clock import Clock

OUTCOMES = ("accepted", "heartbeat", "duplicate", "invalid")


class IngestMetrics(Collector):
    """Counts by vendor, all there from the start; no source as a label, because headers come from outside.

    Dead letters by pump and those whose headers cannot be read: `pump_records_total{outcome="invalid"}`.
    """

    def __init__(self, machine: IngestMachine, marker: Marker, clock: Clock) -> None:
        self._machine = machine
        self._marker = marker
        self._clock = clock

    @classmethod
    def on(cls, registry: CollectorRegistry, machine: IngestMachine, marker: Marker, clock: Clock) -> IngestMetrics:
        """Make and register."""
        metrics = cls(machine, marker, clock)
        registry.register(metrics)
        return metrics

    def collect(self) -> Iterable[Metric]:
        """The samples now."""
        sources = self._machine.sources
        by_vendor = {vendor: [s for s in sources if s.vendor == vendor] for vendor in sorted(ADAPTERS)}
        yield self._records(by_vendor)
        for name, help_text, field in (
            ("ingest_gaps", "Jumps in the numbers of records or events", "gaps"),
            ("ingest_lost", "Records and events missing in jumps of their numbers", "lost"),
            ("ingest_duplicates", "Records and events seen before and dropped", "duplicates"),
            ("ingest_dead_letters", "Records of known vendors that cannot be used", "invalid"),
        ):
            family = CounterMetricFamily(name, help_text, labels=["vendor"])
            for vendor, of_vendor in by_vendor.items():
                family.add_metric([vendor], sum(getattr(source, field) for source in of_vendor))
            yield family
        yield CounterMetricFamily("ingest_clock_marks", "Clock marks written", value=self._marker.written)
        clocks = self._machine.clocks.values()
        jumped, restamped = sum(one.jumped for one in clocks), sum(one.restamped for one in clocks)
        yield CounterMetricFamily("ingest_clock_jumps", "Times a switch's clock was set", value=jumped)
        yield CounterMetricFamily(
            "ingest_restamped", "Events whose time did not fit their switch's clock", value=restamped
        )
        yield self._links()

    def _records(self, by_vendor: dict[str, list[Source]]) -> CounterMetricFamily:
        family = CounterMetricFamily(
            "ingest_raw_records", "Records of switch.raw by what became of them", labels=["vendor", "outcome"]
        )
        for vendor, sources in by_vendor.items():
            for outcome in OUTCOMES:
                family.add_metric([vendor, outcome], sum(source.outcomes()[outcome] for source in sources))
        return family

    def _links(self) -> GaugeMetricFamily:
        wall = self._clock.now()
        up = sum(clock.link_is_up(wall) for clock in self._machine.clocks.values())
        family = GaugeMetricFamily("ingest_sites", "Sites by whether their switch is heard", labels=["link"])
        family.add_metric(["up"], up)
        family.add_metric(["down"], len(self._machine.clocks) - up)
        return family
