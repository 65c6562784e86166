"""Paces the simulated floor by the wall clock and writes what happens to `switch.raw`, like any connector."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from services.ingest.connectors.simulator.floor import SimulatedFloor, Told
from services.ingest.links import link_value
from shared import topics
from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.codec import encode
from shared.envelope import cloud_type
from shared.errors import BusError
from shared.events import LinkDown, LinkUp
from shared.kafka import KafkaBus
from shared.raw import Raw
from shared.service import Background, run, until_stopped
from shared.settings import SimulatorSettings, variable

log = structlog.get_logger()

CONNECTOR = "simulator"
HEARTBEAT_S = 5.0
LONGEST_SLEEP_S = 0.25


class SimulatorConnector:
    """One run of the floor: `session` names it, in headers and in every id."""

    def __init__(self, bus: Bus, clock: Clock, *, site: str = "demo", speed: float = 1.0, seed: int = 1) -> None:
        self._bus = bus
        self._clock = clock
        self._site = site
        self._start = clock.now()
        self._began = clock.monotonic()
        self.session = f"{int(self._start.timestamp()):x}"
        self._source = f"/simulator/{site}/{self.session}"
        self._floor = SimulatedFloor(seed, self._start, run=self.session)
        self._speed = speed
        self._link = LinkUp(connector=CONNECTOR, switch=f"simulated floor, seed {seed}", simulated=True, speed=speed)
        self._seq = 0

    async def run(self) -> None:
        """Say that the link is up, tell what is already going on, then everything as it happens; never ends."""
        await self._publish_link(self._link, self._floor.start)
        for told in self._floor.opening:
            await self._publish(told)
        next_beat = self._clock.monotonic() + HEARTBEAT_S
        while True:
            now = self._now()
            for told in self._floor.next(now):
                await self._publish(told)
            if self._clock.monotonic() >= next_beat:
                await self._publish_link(self._link, now)
                next_beat = self._clock.monotonic() + HEARTBEAT_S
            await self._clock.sleep(self._pause(now))

    async def stop(self, reason: str) -> None:
        """Say that the link is down, and see that it is heard."""
        await self._publish_link(LinkDown(connector=CONNECTOR, reason=reason), self._now())
        await self._bus.flush()

    def _now(self) -> datetime:
        elapsed = (self._clock.monotonic() - self._began) * self._speed
        return self._start + timedelta(seconds=elapsed)

    def _pause(self, now: datetime) -> float:
        due = self._floor.next_at()
        if due is None:
            return LONGEST_SLEEP_S
        return min(LONGEST_SLEEP_S, max(0.0, (due - now).total_seconds() / self._speed))

    async def _publish(self, told: Told) -> None:
        fields = {
            "specversion": "1.0",
            "type": cloud_type(type(told.data)),
            "id": f"{self.session}-{self._seq}",
            "source": self._source,
            "time": told.time,
            "data": told.data,
        }
        await self._send(encode(fields), "event")

    async def _publish_link(self, data: LinkUp | LinkDown, time: datetime) -> None:
        await self._send(link_value(data, id=f"{self.session}-{self._seq}", source=self._source, time=time), "link")

    async def _send(self, value: bytes, kind: str) -> None:
        raw = Raw(
            value=value,
            vendor="generic",
            site=self._site,
            connector=CONNECTOR,
            received=self._clock.now(),
            kind="link" if kind == "link" else "event",
            session=self.session,
            seq=self._seq,
        )
        self._seq += 1
        await self._bus.publish(topics.SWITCH_RAW, value, key=self._site, headers=raw.headers())


async def start(settings: SimulatorSettings) -> None:
    """Run until SIGTERM or SIGINT, then say goodbye."""
    clock = SystemClock()
    bus = KafkaBus(settings.kafka_bootstrap, idempotent=settings.kafka_idempotent)
    try:
        await bus.create([topics.SWITCH_RAW])
        connector = SimulatorConnector(bus, clock, site=settings.site, speed=settings.speed, seed=settings.seed)
        log.info("the simulated floor opens", site=settings.site, speed=settings.speed, seed=settings.seed)
        try:
            async with Background() as background:
                background.start("floor", connector.run())
                await until_stopped(background)
        finally:
            await _say_goodbye(connector)
    finally:
        await bus.close()


async def _say_goodbye(connector: SimulatorConnector) -> None:
    try:
        await connector.stop("the simulator was stopped")
    except BusError as exc:
        log.warning("the link_down could not be written; readers will notice the silence", reason=str(exc))


def main(arguments: Sequence[str] = ()) -> None:
    """`python -m services.ingest.connectors.simulator [--site S] [--speed X] [--seed N]`; options go before settings."""
    parser = argparse.ArgumentParser(
        prog="simulator", description="Write a made-up call centre floor to switch.raw, as a switch would."
    )
    for name, help_text in (
        ("site", "the site it plays (default demo)"),
        ("speed", "seconds of floor time in one of ours (default 1)"),
        ("seed", "the same seed gives the same day (default 1)"),
    ):
        parser.add_argument(f"--{name}", help=f"{help_text}; setting {variable(SimulatorSettings, name)}")
    for name, value in vars(parser.parse_args(arguments)).items():
        if value is not None:
            os.environ[variable(SimulatorSettings, name)] = value
    run("simulator", SimulatorSettings, start)
