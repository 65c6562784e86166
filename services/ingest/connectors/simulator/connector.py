"""Paces the simulated floor by the wall clock, writes what happens to `switch.raw`, and obeys commands, like any connector."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from services.ingest.connectors.common.commands import CommandReader
from services.ingest.connectors.simulator.floor import SimulatedFloor, Told
from services.ingest.connectors.simulator.obeying import Deed, Obeying
from services.ingest.connectors.simulator.sound.ears import Ears
from services.ingest.connectors.simulator.sound.forks import Fork, Forks
from services.ingest.connectors.simulator.sound.pcm import FRAME_S
from services.ingest.connectors.simulator.sound.sounds import Kind, sounds_of
from services.ingest.connectors.simulator.sound.stage import Stage
from services.ingest.links import link_value
from shared import topics
from shared.bus import Bus, part
from shared.clock import Clock, SystemClock
from shared.codec import encode
from shared.envelope import cloud_type
from shared.errors import BusError
from shared.events import CommandAnswered, LinkDown, LinkUp, ListenEnded
from shared.kafka import KafkaBus
from shared.raw import Raw
from shared.service import Background, run, until_stopped
from shared.settings import SimulatorSettings, variable

log = structlog.get_logger()

CONNECTOR = "simulator"
HEARTBEAT_S = 5.0
LONGEST_SLEEP_S = 0.25


class SimulatorConnector:
    """One run of the floor: `session` names it, in headers and in every id.

    Three tasks: `run` plays the floor, `sound` sends what is listened to, `commands.run` takes commands.
    """

    def __init__(
        self, bus: Bus, clock: Clock, *, site: str = "demo", speed: float = 1.0, seed: int = 1, audio: Kind = "speech"
    ) -> None:
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
        self._writing = asyncio.Lock()  # the floor, commands and forks write, and what happened first is written first
        sounds = sounds_of(audio)
        self._stage = Stage(sounds)
        self._over: asyncio.Queue[Fork] = asyncio.Queue()  # as many as there were forks
        self.forks = Forks(clock, self._began, self._stage, Ears(self._stage, sounds), self._over.put_nowait)
        self._obeying = Obeying(self._floor, self._stage, self.forks, self.do, CONNECTOR)

    def commands(self, bus: Bus) -> CommandReader:
        """What takes this site's commands; `bus` is its own, to read them from."""
        return CommandReader(bus, self._clock, self._site, self._obeying.handlers(), self.answer, who=CONNECTOR)

    async def run(self) -> None:
        """Say that the link is up, tell what is already going on, then everything as it happens; never ends."""
        async with self._writing:
            await self._publish_link(self._link, self._floor.start)
            for told in self._floor.opening:
                await self._publish(told)
        next_beat = self._clock.monotonic() + HEARTBEAT_S
        while True:
            async with self._writing:
                now = await self._catch_up()
                if self._clock.monotonic() >= next_beat:
                    await self._publish_link(self._link, now)
                    next_beat = self._clock.monotonic() + HEARTBEAT_S
            await self._clock.sleep(self._pause(now))

    async def sound(self) -> None:
        """Send what is listened to, and tell of each listener that is gone; never ends."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.forks.run(), name="frames")
            tasks.create_task(self._tell_endings(), name="endings")

    async def _tell_endings(self) -> None:
        while True:
            fork = await self._over.get()
            log.info("a listener is gone", fork=fork.id, why=fork.why, frames=fork.connection.sent)
            await self.do(partial(ListenEnded, listen_id=fork.listen_id))

    async def stop(self, reason: str) -> None:
        """End every listener, say that the link is down, and see that it is heard."""
        gone = [*self.forks.stop_all(), *(self._over.get_nowait() for _ in range(self._over.qsize()))]
        async with self._writing:
            now = self._now()
            for fork in gone:
                await self._publish(Told(now, ListenEnded(listen_id=fork.listen_id)))
            await self._publish_link(LinkDown(connector=CONNECTOR, reason=reason), now)
            await self._bus.flush()

    async def do(self, deed: Deed) -> None:
        """Do something as of now, behind all that has happened, and tell what follows at once. Raises BusError, and what
        `deed` raises."""
        async with self._writing:
            now = await self._catch_up()
            told = deed()
            if told is not None:
                await self._publish(Told(now, told))
            else:
                await self._catch_up()

    async def answer(self, answer: CommandAnswered) -> None:
        """Write what became of a command, and see that it is there. Raises BusError."""
        async with self._writing:
            await self._publish_link(answer, await self._catch_up())
            await self._bus.flush()

    async def _catch_up(self) -> datetime:
        """Tell what happened until now; now."""
        now = self._now()
        for told in self._floor.next(now):
            await self._publish(told)
        return now

    def _now(self) -> datetime:
        elapsed = (self._clock.monotonic() - self._began) * self._speed
        return self._start + timedelta(seconds=elapsed)

    def _pause(self, now: datetime) -> float:
        due = self._floor.next_at()
        if due is None:
            return LONGEST_SLEEP_S
        return min(LONGEST_SLEEP_S, max(0.0, (due - now).total_seconds() / self._speed))

    async def _publish(self, told: Told) -> None:
        since = (
            told.time - self._start
        ).total_seconds() / self._speed  # sound is in our time, whatever the floor's speed
        self._stage.apply(int(since / FRAME_S), told.data)
        self.forks.end_gone()
        fields = {
            "specversion": "1.0",
            "type": cloud_type(type(told.data)),
            "id": f"{self.session}-{self._seq}",
            "source": self._source,
            "time": told.time,
            "data": told.data,
        }
        await self._send(encode(fields), "event")

    async def _publish_link(self, data: LinkUp | LinkDown | CommandAnswered, time: datetime) -> None:
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
    bus = KafkaBus.of(settings)
    reading = KafkaBus.of(settings)
    try:
        await bus.create([topics.SWITCH_RAW, topics.SWITCH_COMMANDS, topics.SWITCH_DEAD_LETTER])
        connector = SimulatorConnector(
            bus, clock, site=settings.site, speed=settings.speed, seed=settings.seed, audio=settings.audio
        )
        log.info("the simulated floor opens", site=settings.site, speed=settings.speed, seed=settings.seed)
        try:
            async with Background() as background:
                background.start("floor", connector.run())
                background.start("sound", connector.sound())
                background.start("commands", connector.commands(reading).run())
                await until_stopped(background)
        finally:
            await _say_goodbye(connector)
    finally:
        await part(reading, bus)


async def _say_goodbye(connector: SimulatorConnector) -> None:
    try:
        await connector.stop("the simulator was stopped")
    except BusError as exc:
        log.warning("the link_down could not be written; readers will notice the silence", reason=str(exc))


def main(arguments: Sequence[str] = ()) -> None:
    """`python -m services.ingest.connectors.simulator [--site S] [--speed X] [--seed N] [--audio A]`; they go before settings."""
    parser = argparse.ArgumentParser(
        prog="simulator", description="Write a made-up call centre floor to switch.raw, as a switch would."
    )
    for name, help_text in (
        ("site", "the site it plays (default demo)"),
        ("speed", "seconds of floor time in one of ours (default 1)"),
        ("seed", "the same seed gives the same day (default 1)"),
        ("audio", "what calls sound like: speech, or tones for tests (default speech)"),
    ):
        parser.add_argument(f"--{name}", help=f"{help_text}; setting {variable(SimulatorSettings, name)}")
    for name, value in vars(parser.parse_args(arguments)).items():
        if value is not None:
            os.environ[variable(SimulatorSettings, name)] = value
    run("simulator", SimulatorSettings, start)
