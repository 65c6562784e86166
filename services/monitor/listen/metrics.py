"""Prometheus metrics of listening in the monitor, all label values present from the start."""

from __future__ import annotations

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.monitor.listen.model import REASONS
from services.monitor.listen.policy import Code
from shared.recording import UNREADABLE


class ListenMetrics:
    """All of them, on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("monitor_listens_open", "Listens that go on", registry=registry)
        self.asked = Counter("monitor_listens_asked", "Listens that were granted", registry=registry)
        self.refused = Counter(
            "monitor_listens_refused", "Listens that the policy refused", ["code"], registry=registry
        )
        self.ended = Counter("monitor_listens_ended", "Listens that ended, by why", ["reason"], registry=registry)
        self.unsent = Gauge(
            "monitor_listen_messages_unsent", "Orders and commands that the broker did not take yet", registry=registry
        )
        self.dead_letters = Counter(
            "monitor_listen_dead_letters", "Reports of a relay that could not be used", ["reason"], registry=registry
        )
        self.not_kept = Counter(
            "monitor_listen_not_kept_records",
            "Records that were no longer kept when they were to be read",
            registry=registry,
        )
        for code in (*get_args(Code), "not_visible"):
            self.refused.labels(code)
        for reason in UNREADABLE:
            self.dead_letters.labels(reason)
        for reason in REASONS:
            self.ended.labels(reason)
