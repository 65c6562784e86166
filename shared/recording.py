"""How it goes with recording a topic: in the log once for each change, and in figures. A `shared.intake.Watch`."""

from __future__ import annotations

from typing import Final, Protocol

import structlog
from prometheus_client import Counter, Gauge

from shared.errors import FloorwatchError
from shared.topics import Topic

# why a record of ours cannot be used, as `shared.intake` counts it; what a reader adds is its own
UNREADABLE: Final = ("not_json", "invalid_event", "no_time_zone", "not_storable", "internal_error")

log = structlog.get_logger(__name__)


class RecordingMetrics(Protocol):
    """`recording` is 1 while it goes well; `dead_letters` has the label `reason`; `not_kept` and `lag` count records."""

    recording: Gauge
    dead_letters: Counter
    not_kept: Counter
    lag: Gauge


class Recording:
    """`works`, `waits`: what the log says when it begins to go well, and when it does not."""

    def __init__(self, topic: Topic, metrics: RecordingMetrics, *, works: str, waits: str) -> None:
        self._topic = topic
        self._metrics = metrics
        self._works = works
        self._waits = waits
        self._reason: str | None = None  # why nothing is recorded; "" while it is

    def live(self) -> None:
        if self._reason != "":
            log.info(self._works, topic=self._topic.name)
        self._reason = ""
        self._metrics.recording.set(1)

    def lost(self, why: FloorwatchError) -> None:
        reason = str(why)
        if self._reason != reason:
            log.warning(self._waits, why=reason)
        self._reason = reason
        self._metrics.recording.set(0)

    def refused(self, reason: str) -> None:
        self._metrics.dead_letters.labels(reason).inc()

    def not_kept(self, records: int) -> None:
        self._metrics.not_kept.inc(records)

    def lag(self, records: int) -> None:
        self._metrics.lag.set(records)
