"""The relay as a service."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from shared.auth import Authenticator
from shared.clock import Clock, SystemClock
from shared.hosts import Hosts
from shared.http import create_app, serve
from shared.ports import listen
from shared.service import Background, run
from shared.settings import RelaySettings, variable


class Relay:
    """One relay process, put together."""

    def __init__(self, settings: RelaySettings, clock: Clock, registry: CollectorRegistry) -> None:
        self.auth = Authenticator.of(settings, clock)
        self._names = Hosts.of(settings)
        self._registry = registry

    def app(self, background: Background | None = None) -> FastAPI:
        """The HTTP side."""
        return create_app(
            "relay",
            title="Floorwatch relay",
            registry=self._registry,
            background=background,
            auth=self.auth,
            names=self._names,
            pages_elsewhere=True,
        )


async def start(settings: RelaySettings) -> None:
    """Run the service until it is asked to stop. Raises SettingsError for a port that is taken."""
    relay = Relay(settings, SystemClock(), CollectorRegistry())
    media = listen(settings.media_host, settings.media_port, setting=variable(RelaySettings, "media_port"))
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, sock=media)
    async with Background() as background:
        await serve(
            relay.app(background),
            settings.host,
            settings.port,
            background=background,
            shutdown_s=settings.shutdown_s,
        )
    server.close()


def main() -> None:
    """`python -m services.monitor.listen.relay`."""
    run("relay", RelaySettings, start)
