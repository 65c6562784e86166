"""The monitor's own Prometheus metrics, all label values present from the start."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.envelope import Data, kind_of
from shared.facts import DATA_TYPES


@dataclass(frozen=True, slots=True)
class FeedMetrics:
    """What the feed did."""

    deltas: Counter
    changes: Counter
    subscribers: Gauge
    resumes: Counter
    too_slow: Counter
    groups: Gauge
    behind: Gauge
    unsent: Gauge
    conflated: Counter
    refused: Counter
    bytes: Counter

    @classmethod
    def on(cls, registry: CollectorRegistry) -> FeedMetrics:
        """The feed's metrics, registered."""
        made = cls(
            deltas=Counter("monitor_feed_deltas", "Deltas sent to wallboards", registry=registry),
            changes=Counter("monitor_feed_changes", "Entities in the deltas sent to wallboards", registry=registry),
            subscribers=Gauge("monitor_feed_subscribers", "Wallboards connected now", registry=registry),
            resumes=Counter("monitor_feed_resumes", "Reconnections, by what they got", ["answer"], registry=registry),
            too_slow=Counter("monitor_feed_too_slow", "Readers let go for being too slow", registry=registry),
            groups=Gauge("monitor_feed_groups", "Filters that are kept up to date", registry=registry),
            behind=Gauge("monitor_feed_behind", "Wallboards that take nothing at the moment", registry=registry),
            unsent=Gauge("monitor_feed_unsent_bytes", "Bytes that wait for slow wallboards", registry=registry),
            conflated=Counter(
                "monitor_feed_conflated",
                "Frames with last values, for wallboards too slow for each change",
                registry=registry,
            ),
            refused=Counter("monitor_feed_refused", "Connections beyond a user's number", registry=registry),
            bytes=Counter("monitor_feed_bytes", "Bytes sent to wallboards", registry=registry),
        )
        for answer in ("resumed", "snapshot"):
            made.resumes.labels(answer)
        return made


@dataclass(frozen=True, slots=True)
class EngineMetrics:
    """What the engine made, by kind of fact."""

    facts: dict[type[Data], Counter]

    @classmethod
    def on(cls, registry: CollectorRegistry) -> EngineMetrics:
        """The engine's metrics, registered."""
        facts = Counter("monitor_facts", "Flags and records published, by kind", ["kind"], registry=registry)
        return cls(facts={kind: facts.labels(kind_of(kind)) for kind in DATA_TYPES})
