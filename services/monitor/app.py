"""The monitor service: the live state of every floor from `floor.events`, pushed to wallboards, flags and records published."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.monitor import anomalyapi, asyncdoc, figureapi, floormetrics, trail
from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.core.transfers import SLOW_TRANSFER
from services.monitor.desk.desk import Desk
from services.monitor.desk.reasons import Reasons, load_reasons
from services.monitor.desk.retention import Keep
from services.monitor.desk.routes import install_desk_routes
from services.monitor.endpoints import STRUCTS, router_for
from services.monitor.feed.hub import Hub
from services.monitor.listen.addresses import connects_to
from services.monitor.listen.part import Listening
from services.monitor.listen.routes import install_listen_routes
from services.monitor.listen.work.workapi import install_work_routes
from services.monitor.metrics import EngineMetrics, FeedMetrics
from services.monitor.rewind.part import STRUCTS as REWIND_STRUCTS
from services.monitor.rewind.part import Rewind
from services.monitor.rulefile import load_rulebook
from services.monitor.ruleslive import LiveRules
from shared import topics
from shared.apidoc import describe
from shared.auth import Authenticator
from shared.bus import Bus, Record, part
from shared.clock import Clock, SystemClock
from shared.codec import decode_event, encode
from shared.collector import set_aside
from shared.db import Database
from shared.events import CommandAnswered, Event
from shared.facts import FLAG_TYPES, Fact
from shared.hosts import Hosts
from shared.http import create_app, mount_web, serve_as
from shared.kafka import KafkaBus
from shared.limits import Limits
from shared.pump import Outgoing, Pace, Pump
from shared.service import Background, run
from shared.settings import MonitorSettings, RelaySettings, load, variable
from shared.sites import Sites, load_sites
from shared.tls import ServerTls

WEB = Path(__file__).parent / "web"

# marks come every second at least: without any for so long nobody knows how the floor is
_PRESENT_S: Final = 10.0

log = structlog.get_logger()


def decode(record: Record) -> Event:
    """The canonical event in a record of `floor.events`."""
    return decode_event(record.value)


def route(fact: Fact) -> Outgoing:
    """Flags and records each to their topic, keyed by site."""
    topic = topics.FLOOR_FLAGS if isinstance(fact.data, FLAG_TYPES) else topics.FLOOR_RECORDS
    return Outgoing(topic, fact.site, encode(fact))


class Monitor:
    """Engine, pump and feed of one monitor process, put together."""

    def __init__(
        self,
        settings: MonitorSettings,
        bus: Bus,
        clock: Clock,
        sites: Sites,
        rules: RuleBook,
        registry: CollectorRegistry,
        *,
        database: Database | None = None,
        reasons: Reasons | None = None,
        history: Bus | None = None,
        records: Bus | None = None,
        orders: Bus | None = None,
        reports: Bus | None = None,
    ) -> None:
        """Without a `database` the desk answers that it is away; without `history` and `records`, each a bus of its own, no past
        is kept and no finished transfer recorded; without `orders` and `reports` nobody listens."""
        self._clock = clock
        self.auth = Authenticator.of(settings, clock)
        self._names = Hosts.of(settings)
        self._limits = Limits(clock, settings)
        relay = load(RelaySettings)
        self._connect = connects_to(settings, relay)
        self.engine = Engine(sites, rules)
        self.rules = LiveRules(rules, clock, registry, self._use_rules)
        self._registry = registry
        self._facts = EngineMetrics.on(registry).facts
        self._replica = settings.name
        anomalyapi.AnomalyCounter.on(registry, self.engine)
        self.rewind = Rewind(settings, self.engine, sites, lambda: self.rules.book, clock, registry, bus=history)
        self.pump: Pump[Event, Fact] = Pump(
            "monitor",
            bus,
            self.engine,
            topics=[topics.FLOOR_EVENTS],
            decode=self._decode,
            route=route,
            on_batch=self._on_batch,
            on_restored=self._on_restored,
            on_part=self.rewind.on_part,
            partitions=settings.partitions or None,
            writer=settings.name,
            clock=clock,
            registry=registry,
            pace=Pace(checkpoint_s=settings.checkpoint_s),
        )
        self.hub = Hub(
            self.engine,
            clock,
            FeedMetrics.on(registry),
            flush_s=settings.flush_s,
            log_size=settings.delta_log,
            max_unsent_bytes=settings.max_unsent_bytes,
            slow_s=settings.slow_s,
            max_connections=settings.max_connections,
            max_filters=settings.max_filters,
            messages_per_s=settings.messages_per_s,
            behind_s=lambda: self.pump.status.behind_s,
            live=lambda: self.pump.status.ready,
            input_age_s=lambda: self.pump.status.input_age_s(clock.now()),
        )
        self.desk = Desk(
            self.engine,
            clock,
            registry,
            database,
            reasons=reasons,
            records=records,
            limit=self._transfer_limit_s,
            keep=Keep(timedelta(days=settings.keep_days), timedelta(days=settings.keep_cases_days)),
            present=lambda: self.not_ready() is None and self.pump.status.input_age_s(clock.now()) < _PRESENT_S,
            changes_per_minute=settings.changes_per_minute,
        )
        self.listening = Listening(
            settings, relay, self.engine, self.auth, sites, self.desk, clock, registry, orders=orders, reports=reports
        )

    def _decode(self, record: Record) -> Event:
        event = decode(record)
        if isinstance(event.data, CommandAnswered):
            self.listening.answered(event.data)
        return event

    def _transfer_limit_s(self, site: str) -> float | None:
        rule = self.rules.book.by_name.get(SLOW_TRANSFER)
        here = rule is not None and (not rule.where.sites or site in rule.where.sites)
        return rule.hold.total_seconds() if rule is not None and here else None

    def _use_rules(self, rules: RuleBook) -> None:
        self.pump.between(lambda: self.engine.use_rules(rules))

    def _on_batch(self, facts: list[Fact]) -> None:
        for kind, count in Counter(type(fact.data) for fact in facts).items():
            self._facts[kind].inc(count)
        if self.pump.status.ready:  # what a restart works through again was told before
            trail.tell(facts, self._replica, self._clock)
        self.hub.on_batch(facts)
        self.listening.on_batch()

    def app(self, background: Background | None = None) -> FastAPI:
        """The HTTP side, pages included."""
        app = create_app(
            "monitor",
            title="Floorwatch monitor",
            registry=self._registry,
            checks={"pump": self.not_ready},
            background=background,
            auth=self.auth,
            names=self._names,
            limits=self._limits,
            connect=self._connect,
        )
        describe(app, *STRUCTS, *anomalyapi.STRUCTS, *figureapi.STRUCTS)
        app.include_router(router_for(self.engine, self.hub, self.rules))
        app.include_router(anomalyapi.router_for(self.engine))
        app.include_router(asyncdoc.router())
        app.include_router(figureapi.router_for(self.engine))
        app.include_router(floormetrics.router_for(self.engine))
        install_desk_routes(app, self.desk)
        install_listen_routes(app, self.listening)
        install_work_routes(app, self.desk)
        describe(app, *REWIND_STRUCTS)
        app.include_router(self.rewind.router())
        mount_web(app, WEB)
        return app

    def not_ready(self) -> str | None:
        """Why the board cannot be trusted yet; None when it can."""
        return self.pump.trouble()

    def _on_restored(self) -> None:
        set_aside()  # the state that was loaded, too
        self.hub.restart()


async def start(settings: MonitorSettings) -> None:
    """Run the service until it is asked to stop. Raises SettingsError for a wrong file before it connects."""
    sites = load_sites(settings.sites_file, setting=variable(MonitorSettings, "sites_file"))
    rules = load_rulebook(settings.rules_file, setting=variable(MonitorSettings, "rules_file"))
    log.info("rules loaded", file=settings.rules_file.name, rules=[rule.name for rule in rules.rules])
    clock, registry, tls = SystemClock(), CollectorRegistry(), ServerTls.of(settings)
    bus = KafkaBus.of(settings)
    reasons = load_reasons(settings.cases_file, setting=variable(MonitorSettings, "cases_file"))
    database = Database(settings.db_url.get_secret_value(), setting=variable(MonitorSettings, "db_url"))
    history = KafkaBus.of(settings)
    records = KafkaBus.of(settings)
    orders = KafkaBus.of(settings)
    reports = KafkaBus.of(settings)
    monitor = Monitor(
        settings,
        bus,
        clock,
        sites,
        rules,
        registry,
        database=database,
        reasons=reasons,
        history=history,
        records=records,
        orders=orders,
        reports=reports,
    )
    try:
        async with Background() as background:
            pumping = background.start("pump", monitor.pump.run())
            background.start("clock", monitor.hub.run_clock())
            following = monitor.rules.watch(settings.rules_file, setting=variable(MonitorSettings, "rules_file"))
            background.start("rules", following)
            monitor.desk.start(background)
            monitor.listening.start(background)
            background.start("policies", monitor.listening.sites.watch(settings.sites_file, clock))
            monitor.rewind.start(background)
            await serve_as(
                settings, monitor.app(background), background=background, tls=tls, on_stopping=monitor.hub.part
            )
            monitor.pump.stop()
            await asyncio.wait([pumping], timeout=settings.shutdown_s)
    finally:
        await monitor.rewind.close()
        await part(bus, history, records, orders, reports)
        await database.close()


def main() -> None:
    """`python -m services.monitor.app`."""
    run("monitor", MonitorSettings, start)


if __name__ == "__main__":
    main()
