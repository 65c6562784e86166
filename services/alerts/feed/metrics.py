"""Figures of the feed for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class FeedMetrics:
    """All of them, on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.readers = Gauge("alerts_feed_readers", "Pages connected now", registry=registry)
        self.changes = Counter("alerts_feed_changes", "Incidents told to pages, each change once", registry=registry)
        self.behind = Gauge("alerts_feed_behind", "Pages that take nothing at the moment", registry=registry)
        self.resyncs = Counter("alerts_feed_resyncs", "Pages that were told to ask anew", registry=registry)
        self.too_slow = Counter("alerts_feed_too_slow", "Pages let go for being too slow", registry=registry)
        self.refused = Counter("alerts_feed_refused", "Connections beyond a user's number", registry=registry)
