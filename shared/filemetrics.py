"""What Prometheus sees of files that a service reads anew while it runs: whether each can be used as it is now, and when a
certificate ends. A file that was refused is also the one with which a restart would fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from shared.clock import Clock


class FileHealth:
    """One file: whether its newest content could be used, and when that which is in force was read."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.good = True
        self._clock = clock
        self.read_at: datetime = clock.now()

    def read(self) -> None:
        """It was read, and is in force."""
        self.good, self.read_at = True, self._clock.now()

    def refused(self) -> None:
        """Its newest content cannot be used; what was in force before still is."""
        self.good = False


class FileMetrics(Collector):
    """Of all such files of one service."""

    def __init__(self) -> None:
        self._files: dict[str, Callable[[], FileHealth]] = {}
        self._certificates: dict[str, Callable[[], datetime]] = {}

    @classmethod
    def on(cls, registry: CollectorRegistry) -> FileMetrics:
        """Those of `registry`, made at the first call."""
        found = _known.get(registry)
        if found is None:
            found = _known[registry] = cls()
            registry.register(found)
        return found

    def follow(self, name: str, health: Callable[[], FileHealth]) -> None:
        """Tell of a file by what `health` says whenever somebody asks."""
        self._files[name] = health

    def certificate(self, name: str, ends: Callable[[], datetime]) -> None:
        """Tell when a certificate ends."""
        self._certificates[name] = ends

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """A sample for each file that the settings name."""
        good = GaugeMetricFamily(
            "floorwatch_file_usable",
            "1 while a file that is read anew when it changes can be used as it is, 0 while an older content is in force",
            labels=["file"],
        )
        read = GaugeMetricFamily(
            "floorwatch_file_read_timestamp_seconds", "When what is in force of a file was read", labels=["file"]
        )
        for name, look in self._files.items():
            found = look()
            good.add_metric([name], float(found.good))
            read.add_metric([name], found.read_at.timestamp())
        ends = GaugeMetricFamily(
            "floorwatch_certificate_expiry_timestamp_seconds", "When a certificate of ours ends", labels=["certificate"]
        )
        for name, when in self._certificates.items():
            ends.add_metric([name], when().timestamp())
        yield from (good, read, ends)


_known: WeakKeyDictionary[CollectorRegistry, FileMetrics] = WeakKeyDictionary()
