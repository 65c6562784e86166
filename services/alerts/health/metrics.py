"""Sites as Prometheus sees them. Every configured site is there from the start."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge

from services.alerts.core.own import OURSELVES
from services.alerts.core.sitehealth import SiteHealth


class HealthMetrics:
    """All of them, on one registry."""

    def __init__(self, registry: CollectorRegistry, configured: Iterable[str]) -> None:
        self.sees = Gauge("alerts_sites_seen", "1 while sites can be watched: the broker answers", registry=registry)
        self.silent = Gauge(
            "alerts_site_silent", "1 while a site that was heard before is silent", ["site"], registry=registry
        )
        self.silence = Gauge(
            "alerts_site_silence_seconds",
            "Since the newest record of a site in floor.events",
            ["site"],
            registry=registry,
        )
        self.lag = Gauge(
            "alerts_site_lag_seconds",
            "How far monitors are behind what there is of a site",
            ["site"],
            registry=registry,
        )
        self.letters = Gauge(
            "alerts_site_dead_letters_recent",
            "Dead letters of a site within the time that counts",
            ["site"],
            registry=registry,
        )
        for site in configured:
            if site != OURSELVES:
                for gauge in (self.silent, self.silence, self.lag, self.letters):
                    gauge.labels(site)

    def show(self, sites: Iterable[SiteHealth], *, sees: bool) -> None:
        self.sees.set(sees)
        for one in sites:
            self.silent.labels(one.site).set(one.state == "silent")
            self.silence.labels(one.site).set(one.silent_for_s or 0.0)
            self.lag.labels(one.site).set(one.lag_s or 0.0)
            self.letters.labels(one.site).set(one.dead_letters_recent)
