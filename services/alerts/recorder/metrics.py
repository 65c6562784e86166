"""Figures of the recorder for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.recording import UNREADABLE

KINDS: Final = ("agent", "call", "queue", "transfer")


class RecorderMetrics:
    """All of them, on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.recorded = Counter(
            "alerts_records", "Records stored for reports, new or put right", ["kind"], registry=registry
        )
        self.passed = Counter(
            "alerts_records_passed",
            "Records left out: told before, or written longer ago than is kept",
            registry=registry,
        )
        self.dead_letters = Counter(
            "alerts_records_dead_letters", "Records that could not be used", ["reason"], registry=registry
        )
        self.not_kept = Counter(
            "alerts_recorder_not_kept_records",
            "Records that were no longer kept when they were to be read",
            registry=registry,
        )
        self.recording = Gauge(
            "alerts_recording", "1 while records are read from Kafka into the database", registry=registry
        )
        self.lag = Gauge("alerts_recorder_lag_records", "Records not read yet", registry=registry)
        self.batch = Histogram(
            "alerts_records_batch_seconds",
            "How long one transaction of records took",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=registry,
        )
        for kind in KINDS:
            self.recorded.labels(kind)
        for reason in (*UNREADABLE, "not_a_record", "no_duration"):
            self.dead_letters.labels(reason)
