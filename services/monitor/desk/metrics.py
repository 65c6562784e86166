"""The desk's Prometheus metrics, all label values present from the start."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.recording import UNREADABLE

RECORDED: Final = ("transfer", "call")


class DeskMetrics:
    """All of them, on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.database_up = Gauge(
            "monitor_database_up", "1 while the database of cases and finished transfers answers", registry=registry
        )
        self.recording = Gauge(
            "monitor_recording", "1 while finished transfers and calls are read into the database", registry=registry
        )
        self.lag = Gauge("monitor_recorder_lag_records", "Records of floor.records not read yet", registry=registry)
        self.recorded = Counter(
            "monitor_recorded", "Finished transfers and calls written to the database", ["kind"], registry=registry
        )
        self.dead_letters = Counter(
            "monitor_recorder_dead_letters", "Records that could not be used", ["reason"], registry=registry
        )
        self.not_kept = Counter(
            "monitor_recorder_not_kept_records",
            "Records that were no longer kept when they were to be read",
            registry=registry,
        )
        self.removed = Counter(
            "monitor_removed_rows", "Rows removed because they are older than is kept", ["table"], registry=registry
        )
        self.effects = Counter(
            "monitor_action_effects", "Actions whose effect was looked at", ["effect"], registry=registry
        )
        self.reveals = Counter("monitor_number_reveals", "Callers' numbers shown in full", registry=registry)
        for reason in UNREADABLE:
            self.dead_letters.labels(reason)
        for kind in RECORDED:
            self.recorded.labels(kind)
        for table in ("transfers", "calls", "cases", "actions"):
            self.removed.labels(table)
        for effect in ("measured", "no_data"):
            self.effects.labels(effect)
