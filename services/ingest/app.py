"""The ingest service: what connectors wrote to `switch.raw` becomes canonical events on `floor.events`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.ingest.deadletters import RecentDeadLetters
from services.ingest.endpoints import router_for
from services.ingest.marker import Marker
from services.ingest.metrics import IngestMetrics
from services.ingest.pipeline import IngestMachine
from services.ingest.trail import Trail
from shared import topics
from shared.auth import Authenticator
from shared.bus import MAX_RECORD_BYTES, Bus, Outgoing, Record, part
from shared.clock import Clock, SystemClock
from shared.codec import encode
from shared.errors import InvalidInput
from shared.events import Event
from shared.fewlines import FewLines
from shared.hosts import Hosts
from shared.http import create_app, mount_web, serve_as
from shared.kafka import KafkaBus
from shared.limits import Limits
from shared.pump import Pace, Pump
from shared.raw import LIFE, Raw, from_record
from shared.service import Background, run
from shared.settings import IngestSettings, variable
from shared.sites import Sites, load_sites
from shared.tls import ServerTls

WEB = Path(__file__).parent / "web"

log = structlog.get_logger()


def route(event: Event) -> Outgoing:
    """Events go to `floor.events`, keyed by site."""
    return Outgoing(topics.FLOOR_EVENTS, event.site, encode(event))


class Ingest:
    """Machine, pump, marks and dead letters of one ingest process, put together.

    `bus` is the pump's alone; `side_bus` is for everything else.
    """

    def __init__(
        self,
        settings: IngestSettings,
        bus: Bus,
        side_bus: Bus,
        clock: Clock,
        sites: Sites,
        registry: CollectorRegistry,
    ) -> None:
        self._auth = Authenticator.of(settings, clock)
        self._names = Hosts.of(settings)
        self._trail = Trail(clock)
        self._faults = FewLines(clock, "more records broke their adapter")
        # the route reads no further than a record may be long, and says what to do about it
        self._limits = Limits(clock, settings, bodies={"/api/v1/raw/": 2 * MAX_RECORD_BYTES})
        self.machine = IngestMachine(
            sites, window_s=settings.skew_window_s, mark_s=settings.mark_s, idle_mark_s=settings.idle_mark_s
        )
        self.pump: Pump[Raw, Event] = Pump(
            "ingest",
            bus,
            self.machine,
            topics=[topics.SWITCH_RAW],
            decode=self._decode,
            route=route,
            on_invalid=self._on_invalid,
            clock=clock,
            on_batch=self._on_batch,
            registry=registry,
            pace=Pace(checkpoint_s=settings.checkpoint_s),
        )
        self.marker = Marker(
            side_bus,
            clock,
            self.machine.clocks,
            self.pump.status,
            mark_s=settings.mark_s,
            unsent_s=bus.unsent_s,
            unheard_s=self.pump.unheard_s,
            cut_off_s=self.pump.cut_off_s,
        )
        self.dead_letters = RecentDeadLetters(side_bus, clock, limit_a_minute=settings.dead_letter_limit)
        self._router = router_for(self.machine, self.dead_letters, side_bus, clock)
        self._registry = registry
        IngestMetrics.on(registry, self.machine, self.marker, clock)

    def app(self, background: Background | None = None) -> FastAPI:
        """The HTTP side: API and page."""
        app = create_app(
            "ingest",
            title="Floorwatch ingest",
            registry=self._registry,
            checks={"pump": self.not_ready, "dead letters": self.dead_letters.check},
            background=background,
            auth=self._auth,
            names=self._names,
            limits=self._limits,
        )
        app.include_router(self._router)
        mount_web(app, WEB)
        return app

    def _on_batch(self, events: list[Event]) -> None:
        self.marker.arrived(events)
        self._trail.translated(events)

    def _on_invalid(self, record: Record, why: InvalidInput) -> None:
        """Refused input is the producer's business, on the page and in the topic; a fault of ours belongs into our log, whole."""
        self._trail.refused(record, why, self._place(record))
        if why.reason == "internal_error" and self._faults.may(type(why.__cause__).__name__):
            place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            log.error("a record broke its adapter", why=str(why), exc_info=why.__cause__, **place)

    def not_ready(self) -> str | None:
        """Why what arrives is not passed on yet; None when it is."""
        return self.pump.trouble()

    def _decode(self, record: Record) -> Raw:
        """The raw record in a record of `switch.raw`. Raises InvalidInput `bad_headers`."""
        return from_record(record.value, record.headers, record.partition, self._place(record), record.written)

    def _place(self, record: Record) -> int:
        """The record's offset, as it is told apart from one of a topic that was made anew."""
        return record.offset + LIFE * self.pump.life_of(record.topic, record.partition)


async def start(settings: IngestSettings) -> None:
    """Run the service until it is asked to stop. Raises SettingsError for a wrong file before it connects."""
    sites = load_sites(settings.sites_file, setting=variable(IngestSettings, "sites_file"))
    clock, registry, tls = SystemClock(), CollectorRegistry(), ServerTls.of(settings)
    bus = KafkaBus.of(settings)
    side_bus = KafkaBus.of(settings)
    ingest = Ingest(settings, bus, side_bus, clock, sites, registry)
    try:
        async with Background() as background:
            pumping = background.start("pump", ingest.pump.run())
            background.start("marks", ingest.marker.run())
            background.start("dead letters", ingest.dead_letters.run())
            app = ingest.app(background)
            await serve_as(settings, app, background=background, tls=tls)
            ingest.pump.stop()
            await asyncio.wait([pumping], timeout=settings.shutdown_s)
    finally:
        await part(side_bus, bus)


def main() -> None:
    """`python -m services.ingest.app`; settings come from INGEST_* and the common ones."""
    run("ingest", IngestSettings, start)


if __name__ == "__main__":
    main()
