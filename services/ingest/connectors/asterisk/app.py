"""The connector as a process: one connector for each switch of the file, and an HTTP port for health and metrics."""

from __future__ import annotations

import asyncio

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.ingest.connectors.asterisk.config import load_switches
from services.ingest.connectors.asterisk.connector import AsteriskConnector
from services.ingest.connectors.asterisk.metrics import AsteriskMetrics
from shared import topics
from shared.auth import Authenticator
from shared.bus import part
from shared.clock import SystemClock
from shared.hosts import Hosts
from shared.http import create_app, serve_as
from shared.kafka import KafkaBus
from shared.limits import Limits
from shared.service import Background, run
from shared.settings import AsteriskSettings, variable
from shared.sites import load_sites
from shared.tls import ServerTls

log = structlog.get_logger()


def app_for(connectors: list[AsteriskConnector], settings: AsteriskSettings, background: Background) -> FastAPI:
    """Health, readiness (a check for each switch) and metrics; nothing of the floor is to be had here."""
    registry = CollectorRegistry()
    registry.register(AsteriskMetrics(connectors))
    return create_app(
        "asterisk",
        title="Floorwatch Asterisk connector",
        registry=registry,
        checks={f"switch of {one.switch.site}": one.check for one in connectors},
        background=background,
        auth=Authenticator.of(settings, SystemClock()),
        names=Hosts.of(settings),
        limits=Limits(SystemClock(), settings),
    )


async def start(settings: AsteriskSettings) -> None:
    """Run until it is asked to stop, then say goodbye. Raises SettingsError for a wrong file before it connects."""
    switches = load_switches(settings.file)
    sites = load_sites(settings.sites_file, setting=variable(AsteriskSettings, "sites_file"))
    clock, tls = SystemClock(), ServerTls.of(settings)

    def connect() -> KafkaBus:
        return KafkaBus.of(settings)

    buses = [(connect(), connect()) for _ in switches]
    try:
        await buses[0][0].create([topics.SWITCH_RAW, topics.SWITCH_COMMANDS, topics.SWITCH_DEAD_LETTER])
        connectors = [
            AsteriskConnector(switch, *pair, clock, sites.site(switch.site))
            for switch, pair in zip(switches, buses, strict=True)
        ]
        try:
            async with Background() as background:
                for one in connectors:
                    background.start(f"connector of {one.switch.site}", one.run())
                app = app_for(connectors, settings, background)
                await serve_as(settings, app, background=background, tls=tls)
        finally:
            await asyncio.gather(*(one.stop() for one in connectors))
    finally:
        await part(*(bus for pair in buses for bus in pair))


def main() -> None:
    """`python -m services.ingest.connectors.asterisk`; settings come from ASTERISK_* and the common ones."""
    run("asterisk", AsteriskSettings, start)
