"""The alerts service: flags from Kafka become incidents that people are told of, take and resolve."""

from __future__ import annotations

import contextlib
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.alerts import keeper
from services.alerts.channels import Channels
from services.alerts.core.incident import Policy
from services.alerts.desk import Desk
from services.alerts.endpoints import Service, router, unavailable
from services.alerts.hub import Hub
from services.alerts.link import Link
from services.alerts.metrics import AlertsMetrics
from services.alerts.pipeline import Pipeline
from services.alerts.sender import Sender
from services.alerts.text import Text
from shared.auth import Authenticator
from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.db import Database
from shared.errors import BusError, StoreError
from shared.hosts import Hosts
from shared.http import Background, create_app, mount_web, serve
from shared.kafka import KafkaBus
from shared.migrate import upgrade
from shared.service import run
from shared.settings import AlertsSettings, variable
from shared.siteconfig import Sites
from shared.sites import load_sites

HERE = Path(__file__).parent
MIGRATIONS = HERE / "migrations"


class AlertsService:
    """Everything of the service, put together; `start` runs its tasks, `app` is its HTTP side."""

    def __init__(self, settings: AlertsSettings, *, bus: Bus, database: Database, clock: Clock, sites: Sites) -> None:
        """Raises SettingsError for a notification URL that is none, or a wrong users file."""
        self.auth = Authenticator.of(settings, clock)
        self._names = Hosts.of(settings)
        policy = Policy(
            reopen_within=timedelta(seconds=settings.reopen_s),
            quiet_for=timedelta(seconds=settings.quiet_s),
            critical_quiet_for=timedelta(seconds=settings.critical_quiet_s),
        )
        self.registry = CollectorRegistry()
        self.hub = Hub()
        self.channels = Channels([url.get_secret_value() for url in settings.notify_urls])
        self._labels = [name.label for name in self.channels.names]
        self._clock = clock
        self._policy = policy
        self.database = database
        metrics = AlertsMetrics(self.registry)
        self.link = Link(clock, self._link_changed)
        text = Text(sites, public_url(settings))
        self.desk = Desk(
            database=database,
            clock=clock,
            hub=self.hub,
            metrics=metrics,
            policy=policy,
            channels=self.channels.names,
        )
        self.pipeline = Pipeline(
            bus=bus, database=database, desk=self.desk, clock=clock, link=self.link, metrics=metrics
        )
        self.sender = Sender(
            database=database, desk=self.desk, channels=self.channels, text=text, clock=clock, metrics=metrics
        )
        self.api = Service(
            database=database,
            desk=self.desk,
            hub=self.hub,
            link=self.link,
            text=text,
            clock=clock,
            channels=self._labels,
        )

    def start(self, background: Background) -> None:
        background.start("sender", self.sender.run())
        background.start("quiet time", keeper.keep(self.desk, self.database, self._clock, self._policy))
        background.start("pipeline", self.pipeline.run())

    def app(self, background: Background | None = None) -> FastAPI:
        app = create_app(
            "alerts",
            title="Floorwatch alerts",
            registry=self.registry,
            checks={"flags": self.link.check, "database": self._check_database},
            background=background,
            auth=self.auth,
            names=self._names,
        )
        app.state.alerts = self.api
        app.add_exception_handler(StoreError, unavailable)
        app.include_router(router)
        mount_web(app, HERE / "web")
        return app

    async def _check_database(self) -> str | None:
        try:
            await self.database.ping()
        except StoreError as exc:
            return str(exc)
        return None

    def _link_changed(self, _status: object) -> None:
        self.hub.publish("status", self.api.status().model_dump_json())


def public_url(settings: AlertsSettings) -> str:
    """How people reach the page: as set, else where the service listens."""
    if "public_url" in settings.model_fields_set:
        return settings.public_url
    return f"http://{settings.host}:{settings.port}"


async def _close(bus: Bus) -> None:
    with contextlib.suppress(BusError):  # dead letters are flushed when written; nothing else is unsent
        await bus.close()


async def start(settings: AlertsSettings) -> None:
    """Run the service until it is told to stop. Raises SettingsError, StoreError, ServiceFailed."""
    async with AsyncExitStack() as stack:
        clock = SystemClock()
        database = Database(settings.db_url.get_secret_value())
        stack.push_async_callback(database.close)
        sites = load_sites(settings.sites_file, setting=variable(AlertsSettings, "sites_file"))
        bus = KafkaBus(settings.kafka_bootstrap, idempotent=settings.kafka_idempotent)
        stack.push_async_callback(_close, bus)
        service = AlertsService(settings, bus=bus, database=database, clock=clock, sites=sites)
        await upgrade(database, MIGRATIONS)
        await service.desk.count()
        background = await stack.enter_async_context(Background())
        service.start(background)
        app = service.app(background)
        await serve(
            app,
            settings.host,
            settings.port,
            background=background,
            shutdown_s=settings.shutdown_s,
            on_stopping=service.hub.close,
        )


def main() -> None:
    run("alerts", AlertsSettings, start)


if __name__ == "__main__":
    main()
