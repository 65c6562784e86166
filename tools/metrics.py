"""Every metric of every service, read off the services themselves; writes docs/prometheus.md: `make docs`.

The services are put together as their processes do it, on a bus in memory, and never started.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from services.alerts.app import AlertsService
from services.ingest.app import Ingest
from services.ingest.connectors.asterisk.config import Switch, SwitchConfig
from services.ingest.connectors.asterisk.connector import AsteriskConnector
from services.ingest.connectors.asterisk.metrics import AsteriskMetrics
from services.monitor.app import Monitor
from services.monitor.floormetrics import FloorMetrics
from services.monitor.listen.relay.app import Relay
from services.monitor.rulefile import load_rulebook
from shared.clock import SystemClock
from shared.db import Database
from shared.http import create_app
from shared.memorybus import MemoryBus
from shared.settings import ROOT, AlertsSettings, IngestSettings, MonitorSettings, RelaySettings
from shared.sites import load_sites

HEAD: Final = ROOT / "docs" / "prometheus.head.md"
PAGE: Final = ROOT / "docs" / "prometheus.md"
SERVICES: Final = {
    "monitor": "the engine, its boards, the desk and listening",
    "floor": "of the monitor's `GET /metrics/floor`, for whoever has `floor.read`",
    "ingest": "what connectors wrote, and the switches' clocks",
    "alerts": "incidents, messages to people, records for reports",
    "relay": "the sound of calls",
    "asterisk": "the connector to Asterisk switches",
}
_SUFFIXES: Final = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}


class Family(Struct, frozen=True):
    """A metric as its samples are named: `pump_records_total`, or the histogram `pump_stretch_seconds`."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...]

    @property
    def series(self) -> tuple[str, ...]:
        """The names that an expression may ask for."""
        if self.kind == "counter":
            return (self.name,)
        return tuple(self.name + suffix for suffix in _SUFFIXES[self.kind])


def registries(folder: Path) -> dict[str, CollectorRegistry]:
    """What each service has on its `/metrics`, by service. `folder` is for what they want to keep."""
    sites = load_sites(ROOT / "deploy" / "sites.yaml")
    bus, clock = MemoryBus(), SystemClock()
    how = {"run_dir": folder, "auth_secret": "never used" * 4}
    found = {name: CollectorRegistry() for name in SERVICES}
    rules = load_rulebook(ROOT / "deploy" / "rules.yaml")
    Monitor(
        MonitorSettings(**how),  # type: ignore[arg-type]
        bus,
        clock,
        sites,
        rules,
        found["monitor"],
        database=Database(f"sqlite+aiosqlite:///{folder / 'monitor.db'}"),
        history=bus,
        records=bus,
        orders=bus,
        reports=bus,
    ).app()
    found["floor"].register(FloorMetrics([]))
    Ingest(IngestSettings(**how), bus, bus, clock, sites, found["ingest"]).app()  # type: ignore[arg-type]
    alerts = AlertsService(
        AlertsSettings(**how),  # type: ignore[arg-type]
        bus=bus,
        database=Database(f"sqlite+aiosqlite:///{folder / 'alerts.db'}"),
        clock=clock,
        sites=sites,
    )
    alerts.app()
    found["alerts"] = alerts.registry
    Relay(RelaySettings(**how), bus, clock, found["relay"]).app()  # type: ignore[arg-type]
    switch = Switch("demo", SwitchConfig(host="127.0.0.1", user="floorwatch"), "")
    connector = AsteriskConnector(switch, bus, bus, clock, sites.site("demo"))
    found["asterisk"].register(AsteriskMetrics([connector]))
    create_app("asterisk", registry=found["asterisk"])
    return found


def families() -> dict[str, list[Family]]:
    """All metrics, by service, sorted by name."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            service: sorted((_family(metric) for metric in registry.collect()), key=lambda one: one.name)
            for service, registry in registries(Path(folder)).items()
        }


def known_series() -> set[str]:
    """Every name that an expression over our metrics may ask for."""
    return {name for found in families().values() for one in found for name in one.series}


def _family(metric: Metric) -> Family:
    labels = dict.fromkeys(getattr(metric, "_labelnames", ()))
    for sample in metric.samples:
        labels.update(dict.fromkeys(name for name in sample.labels if name != "le"))
    name = metric.name + ("_total" if metric.type == "counter" else "")
    return Family(name, metric.type, metric.documentation.rstrip("."), tuple(labels))


def render() -> str:
    """The page."""
    found = families()
    everywhere = set.intersection(*(set(one) for service, one in found.items() if service != "floor"))
    parts = [
        HEAD.read_text(encoding="utf-8"),
        "\n## Of every service\n",
        *_table(sorted(everywhere, key=lambda one: one.name)),
    ]
    pumps = [one for one in found["ingest"] if one in found["monitor"] and one not in everywhere]
    parts += ['\n## Of the pumps of monitor and ingest (`pump="monitor"`, `pump="ingest"`)\n', *_table(pumps)]
    for service, what in SERVICES.items():
        own = [one for one in found[service] if one not in everywhere and one not in pumps]
        parts += [f"\n## {service.capitalize()}: {what}\n", *_table(own)]
    return "".join(parts)


def _table(rows: list[Family]) -> Iterator[str]:
    yield "\n| metric | kind | labels | what it says |\n|---|---|---|---|\n"
    for one in rows:
        labels = ", ".join(f"`{name}`" for name in one.labels)
        yield f"| `{one.name}` | {one.kind} | {labels} | {one.text} |\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
