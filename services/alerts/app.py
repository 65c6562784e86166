"""The alerts service: flags from Kafka become incidents that people are told of, take and resolve."""

from __future__ import annotations

import contextlib
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.alerts import keeper
from services.alerts.alertfile.live import InForce
from services.alerts.api import actions, incidentreport, incidents, lists, purges, receivers, reports, routing, silences
from services.alerts.api.parts import Service, unavailable
from services.alerts.chinese import also_in_chinese
from services.alerts.core.incident import Policy
from services.alerts.desk import Desk
from services.alerts.feed import asyncdoc, elsewhere, endpoints
from services.alerts.feed.hub import Hub
from services.alerts.health import api as health
from services.alerts.health.watcher import Watcher
from services.alerts.link import Link
from services.alerts.links import public_url
from services.alerts.metrics import AlertsMetrics
from services.alerts.periodic.sending import Reporter
from services.alerts.pipeline import Pipeline
from services.alerts.publishing.publisher import Publisher
from services.alerts.reach.parts import Reach
from services.alerts.recorder.metrics import RecorderMetrics
from services.alerts.recorder.recorder import Recorder
from services.alerts.retention import keeper as retention
from services.alerts.text import Text
from shared import problems
from shared.auth import Authenticator
from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.db import Database
from shared.errors import BusError, StoreError
from shared.hosts import Hosts
from shared.http import Background, create_app, mount_web, serve_as
from shared.kafka import KafkaBus
from shared.limits import Limits
from shared.migrate import upgrade
from shared.service import run
from shared.settings import AlertsSettings, variable
from shared.siteconfig import Sites
from shared.sites import load_sites
from shared.tls import ServerTls

HERE = Path(__file__).parent
MIGRATIONS = HERE / "migrations"


class AlertsService:
    """Everything of the service, put together; `start` runs its tasks, `app` is its HTTP side."""

    def __init__(
        self,
        settings: AlertsSettings,
        *,
        bus: Bus,
        database: Database,
        clock: Clock,
        sites: Sites,
        publishing: Bus | None = None,
        recording: Bus | None = None,
    ) -> None:
        """`publishing`, `recording`: the connections of what publishes incidents and of what records, where `bus` is not to be
        theirs, too.

        Raises SettingsError for a wrong alert file, a notification URL that is none, or a wrong users file.
        """
        self.auth = Authenticator.of(settings, clock)
        self._names = Hosts.of(settings)
        self._limits = Limits(clock, settings)
        policy = Policy(
            reopen_within=timedelta(seconds=settings.reopen_s),
            quiet_for=timedelta(seconds=settings.quiet_s),
            critical_quiet_for=timedelta(seconds=settings.critical_quiet_s),
        )
        self.registry = CollectorRegistry()
        self.hub = Hub(
            clock,
            lambda: self.api.status(),
            self.registry,
            max_connections=settings.max_connections,
            slow_s=settings.slow_s,
        )
        self._clock = clock
        self.database = database
        self.in_force = InForce(settings, clock, self.registry, self._file_changed)
        metrics = AlertsMetrics(self.registry)
        self.link = Link(clock, lambda _status: self._changed())
        text = Text(sites, public_url(settings))
        self.desk = Desk(
            database=database,
            clock=clock,
            hub=self.hub,
            metrics=metrics,
            policy=policy,
            in_force=self.in_force,
            sites=sites,
        )
        self.pipeline = Pipeline(
            bus=bus, database=database, desk=self.desk, clock=clock, link=self.link, metrics=metrics
        )
        self.watcher = Watcher(
            bus=bus,
            database=database,
            desk=self.desk,
            in_force=self.in_force,
            clock=clock,
            text=text,
            sites=sites,
            registry=self.registry,
        )
        self.publisher = Publisher(
            bus=publishing or bus,
            database=database,
            clock=clock,
            more=self.desk.to_publish,
            registry=self.registry,
        )
        self.recorder = Recorder(
            bus=recording or bus,
            database=database,
            clock=clock,
            sites=sites,
            metrics=RecorderMetrics(self.registry),
            keep=lambda: self.in_force.alerts.retention.keep["records"],
        )
        self.reach = Reach(
            database=database,
            desk=self.desk,
            in_force=self.in_force,
            text=text,
            clock=clock,
            metrics=metrics,
            registry=self.registry,
            changed=self._changed,
        )
        self.reporter = Reporter(
            database=database,
            in_force=self.in_force,
            text=text,
            clock=clock,
            registry=self.registry,
            posted=self.desk.to_send.set,
        )
        self.api = Service(
            database=database,
            desk=self.desk,
            hub=self.hub,
            link=self.link,
            text=text,
            clock=clock,
            in_force=self.in_force,
            reach=self.reach,
        )

    def start(self, background: Background) -> None:
        background.start("alert file", self.in_force.watch())
        self.reach.start(background)
        background.start("keeper", keeper.keep(self.desk, self._clock))
        background.start("retention", retention.keep(self.database, self.in_force, self.api.text.sites, self._clock))
        background.start("feed", self.hub.run())
        background.start("elsewhere", elsewhere.follow(self.hub, self.desk, self.database, self._clock))
        background.start("pipeline", self.pipeline.run())
        background.start("publisher", self.publisher.run())
        background.start("health of sites", self.watcher.run())
        background.start("recorder", self.recorder.run())
        background.start("reports", self.reporter.run())

    def app(self, background: Background | None = None) -> FastAPI:
        app = create_app(
            "alerts",
            title="Floorwatch alerts",
            registry=self.registry,
            checks={"flags": self.link.check, "database": self._check_database},
            background=background,
            auth=self.auth,
            names=self._names,
            limits=self._limits,
        )
        app.state.alerts = self.api
        app.state.health = self.watcher
        problems.install(app, also_in_chinese)
        app.add_exception_handler(StoreError, unavailable)
        app.include_router(lists.router)
        app.include_router(incidents.router)
        app.include_router(actions.router)
        app.include_router(silences.router)
        app.include_router(routing.router)
        app.include_router(receivers.router)
        app.include_router(health.router)
        app.include_router(purges.router)
        app.include_router(endpoints.router)
        app.include_router(asyncdoc.router)
        app.include_router(incidentreport.router)
        app.include_router(reports.router)
        mount_web(app, HERE / "web")
        return app

    async def _check_database(self) -> str | None:
        try:
            await self.database.ping()
        except StoreError as exc:
            return exc.told
        return None

    def _changed(self) -> None:
        self.hub.status_changed()

    def _file_changed(self) -> None:
        self._changed()
        self.reporter.wake()


async def _close(bus: Bus) -> None:
    with contextlib.suppress(BusError):  # dead letters are flushed when written; nothing else is unsent
        await bus.close()


async def start(settings: AlertsSettings) -> None:
    """Run the service until it is told to stop. Raises SettingsError, StoreError, ServiceFailed."""
    async with AsyncExitStack() as stack:
        clock, tls = SystemClock(), ServerTls.of(settings)
        database = Database(settings.db_url.get_secret_value(), setting=variable(AlertsSettings, "db_url"))
        stack.push_async_callback(database.close)
        sites = load_sites(settings.sites_file, setting=variable(AlertsSettings, "sites_file"))
        bus, publishing, recording = (
            KafkaBus.of(settings) for _ in range(3)
        )  # three that write: one must not hear of the other's failures
        for one in (bus, publishing, recording):
            stack.push_async_callback(_close, one)
        service = AlertsService(
            settings,
            bus=bus,
            database=database,
            clock=clock,
            sites=sites,
            publishing=publishing,
            recording=recording,
        )
        await upgrade(database, MIGRATIONS)
        await service.desk.count()
        background = await stack.enter_async_context(Background())
        service.start(background)
        app = service.app(background)
        await serve_as(settings, app, background=background, tls=tls, on_stopping=service.hub.part)
        await service.reach.finish(settings.shutdown_s)


def main() -> None:
    run("alerts", AlertsSettings, start)


if __name__ == "__main__":
    main()
