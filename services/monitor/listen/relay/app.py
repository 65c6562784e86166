"""The relay as a service."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.monitor.listen.relay import mediasockets, pages
from services.monitor.listen.relay.audiosocket import AudioSocket
from services.monitor.listen.relay.hub import Hub
from services.monitor.listen.relay.intake import Intake
from services.monitor.listen.relay.metrics import RelayCollector
from services.monitor.listen.relay.reporting import Reporter
from services.monitor.listen.relay.stalls import Stalls
from shared.auth import Authenticator
from shared.bus import Bus, part
from shared.clock import Clock, SystemClock
from shared.errors import BusError
from shared.hosts import Hosts
from shared.http import create_app, serve_as
from shared.kafka import KafkaBus
from shared.limits import Limits
from shared.ports import listen
from shared.service import Background, run
from shared.settings import RelaySettings, variable
from shared.tls import ServerTls
from shared.tokens import secret_of

log = structlog.get_logger()


class Relay:
    """One relay process, put together. `bus` is read and written."""

    def __init__(self, settings: RelaySettings, bus: Bus, clock: Clock, registry: CollectorRegistry) -> None:
        """Raises SettingsError for a secret that cannot be used."""
        self.auth = Authenticator.of(settings, clock)
        self._names = Hosts.of(settings)
        self._limits = Limits(clock, settings)
        self._secret = secret_of(settings)
        self._registry = registry
        self.run_id = uuid4().hex
        self.reporter = Reporter(bus, clock, settings.name, self.run_id)
        self.hub = Hub(
            clock,
            self.reporter.say,
            name=settings.name,
            run=self.run_id,
            max_forks=settings.max_forks,
            max_listeners=settings.max_listeners,
            late_s=settings.late_s,
        )
        self.stalls = Stalls()
        self._live = asyncio.Event()
        self.intake = Intake(bus, clock, self.hub.take, self._go_live, self.hub.tidy)
        RelayCollector(
            self.hub,
            self.stalls.peak.value,
            lambda: self.reporter.waiting,
            lambda: self.reporter.dropped,
            lambda: self.intake.refused,
        ).register(registry)

    def app(self, background: Background | None = None) -> FastAPI:
        """The HTTP side: health, the sound's WebSockets."""
        app = create_app(
            "relay",
            title="Floorwatch relay",
            registry=self._registry,
            checks={"orders": self.intake.check},
            background=background,
            auth=self.auth,
            names=self._names,
            limits=self._limits,
            pages_elsewhere=True,
        )
        app.include_router(pages.router_for(self.hub, self._secret))
        app.include_router(mediasockets.router_for(self.hub))
        return app

    def start(self, background: Background) -> None:
        """Begin to read orders and to report."""
        background.start("reports", self.reporter.run())
        background.start("stalls", self.stalls.run())
        background.start("orders", self.intake.run())

    async def media(self, server: asyncio.Server) -> None:
        """Take connections of switches as soon as it is known which are ordered. Until cancelled."""
        await self._live.wait()
        async with server:
            await server.serve_forever()

    def new_connection(self) -> AudioSocket:
        """For a switch that connects."""
        return AudioSocket(self.hub)

    async def part(self) -> None:
        """Say goodbye to everybody, and report it."""
        self.hub.part()
        try:
            async with asyncio.timeout(2.0):
                await self.reporter.flush()
        except (BusError, TimeoutError) as exc:
            log.warning("the last reports could not be written", why=str(exc))

    def _go_live(self) -> None:
        self.hub.go_live()
        self._live.set()


async def start(settings: RelaySettings) -> None:
    """Run the service until it is asked to stop. Raises SettingsError for a port that is taken."""
    tls = ServerTls.of(settings)
    sock = listen(settings.media_host, settings.media_port, setting=variable(RelaySettings, "media_port"))
    bus = KafkaBus.of(settings)
    relay = Relay(settings, bus, SystemClock(), CollectorRegistry())
    server = await asyncio.get_running_loop().create_server(relay.new_connection, sock=sock, start_serving=False)
    try:
        async with Background() as background:
            relay.start(background)
            background.start("media", relay.media(server))
            await serve_as(settings, relay.app(background), background=background, tls=tls, on_stopping=relay.part)
    finally:
        server.close()
        await part(bus)


def main() -> None:
    """`python -m services.monitor.listen.relay`."""
    run("relay", RelaySettings, start)
