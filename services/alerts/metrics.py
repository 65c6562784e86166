"""Figures of the alerts service for Prometheus. Every label value exists at zero from the start."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.alerts.core.grouping import OUTCOMES
from services.alerts.core.plan import SEVERITIES
from shared.recording import UNREADABLE


class AlertsMetrics:
    """All of them, on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.flags = Counter("alerts_flags", "Flags read, by what they did", ["outcome"], registry=registry)
        self.incidents = Counter("alerts_incidents", "Incidents opened", ["severity"], registry=registry)
        self.unresolved = Gauge(
            "alerts_incidents_unresolved", "Incidents open or acknowledged now", ["severity"], registry=registry
        )
        self.notifications = Counter(
            "alerts_notifications",
            "Notifications by how they ended: sent, failed (attempts used up), withheld, no_channel; retried counts attempts",
            ["outcome"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "alerts_dead_letters", "Records that could not be used", ["reason"], registry=registry
        )
        self.not_kept = Counter(
            "alerts_not_kept_records",
            "Records that were no longer kept when they were to be read",
            registry=registry,
        )
        self.connected = Gauge(
            "alerts_connected", "1 while flags are read from Kafka into the database", registry=registry
        )
        self.lag = Gauge("alerts_lag_records", "Flags not read yet", registry=registry)
        self.delay = Histogram(
            "alerts_flag_to_incident_seconds",
            "From the broker's stamp of a flag to its incident being committed",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
            registry=registry,
        )
        self.sending = Histogram(
            "alerts_notification_seconds",
            "How long one attempt to send took",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        for outcome in OUTCOMES:
            self.flags.labels(outcome)
        for reason in (*UNREADABLE, "not_a_flag"):
            self.dead_letters.labels(reason)
        for severity in SEVERITIES:
            self.incidents.labels(severity)
            self.unresolved.labels(severity)
        for ending in ("sent", "failed", "withheld", "no_channel", "retried"):
            self.notifications.labels(ending)
