"""A simulated floor that can be listened to, in a time that moves only when told; the sound goes over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Literal
from uuid import uuid4

from services.ingest.connectors.simulator.connector import SimulatorConnector
from services.ingest.connectors.simulator.sound.stage import Call, Leg
from services.ingest.pipeline import IngestMachine
from shared import commands, events, topics
from shared.clock import FakeClock
from shared.codec import encode
from shared.envelope import Data
from shared.memorybus import MemoryBus
from shared.raw import from_record
from shared.siteconfig import Sites
from tests.audiokit import RATE, AudioConnection, AudioServer, goertzel, split
from tests.ingestkit import T0
from tests.waiting import PATIENCE_S, until

AGENT, COLLEAGUE, CUSTOMER, MUSIC, RINGBACK = 1000, 800, 440, 660, 550
WHISPER = 1500
STEP_S = 0.02


class ListeningFloor:
    """`media` is where its sound goes; `floor` of the connector is reached through what it tells."""

    def __init__(
        self, media: AudioServer, *, seed: int = 4, audio: Literal["speech", "tones"] = "tones", speed: float = 1.0
    ) -> None:
        self.media = media
        self.clock = FakeClock(T0)
        self.bus = MemoryBus(self.clock)
        self.connector = SimulatorConnector(self.bus, self.clock, site="demo", seed=seed, audio=audio, speed=speed)
        self.stage = self.connector._stage
        self._machine = IngestMachine(Sites())
        self._read = 0
        self.events: list[events.Event] = []  # since the floor opened
        self.told: list[Data] = []  # what they say
        self._ids = 0

    async def look(self) -> None:
        """Take in what was told meanwhile."""
        await self.bus.flush()
        records = self.bus.records(topics.SWITCH_RAW)
        for one in records[self._read :]:
            raw = from_record(one.value, one.headers, one.partition, one.offset, one.written)
            self.events.extend(self._machine.apply(raw))
        self.told.extend(event.data for event in self.events[len(self.told) :])
        self._read = len(records)

    async def advance(self, seconds: float) -> None:
        """Time passes, and stands still while sockets carry what was sent."""
        for _ in range(round(seconds / STEP_S)):
            await self.clock.advance(STEP_S)
            await until(self._has_arrived, "the sound arrives", eager=1000)
        await self.look()

    def _has_arrived(self) -> bool:
        """Whether every frame that was sent to one who reads is there."""
        there = {one.fork_id: one for one in self.media.connections}
        return all(
            fork.id in there
            and (len(there[fork.id].sizes) >= fork.connection.sent or there[fork.id].over or not there[fork.id].reads)
            for fork in self.connector.forks.open()
        )

    async def until(self, so: Callable[[], object], *, step_s: float = STEP_S) -> None:
        """Let time pass until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not so():
                await self.advance(step_s)

    # ------------------------------------------------------------ commands

    async def order(self, data: Data, *, id: str = "", expires_s: float = 5.0) -> str:
        """Give a command; its id."""
        self._ids += 1
        command = commands.make(
            data,
            id=id or f"order-{self._ids}",
            source="/test",
            site="demo",
            time=self.clock.now(),
            expires=self.clock.now() + timedelta(seconds=expires_s),
        )
        await self.bus.publish(topics.SWITCH_COMMANDS, encode(command), key="demo")
        return command.id

    def answers(self, command_id: str) -> list[events.CommandAnswered]:
        return [one for one in self.told if isinstance(one, events.CommandAnswered) and one.command_id == command_id]

    async def answered(self, command_id: str) -> events.CommandAnswered:
        """The last answer to a command: what became of it."""

        def found() -> bool:
            return any(one.outcome != "taken" for one in self.answers(command_id))

        await self.until(found)
        return self.answers(command_id)[-1]

    async def obeyed(self, data: Data, *, outcome: str = "done") -> events.CommandAnswered:
        """Give a command and see what becomes of it."""
        answer = await self.answered(await self.order(data))
        assert answer.outcome == outcome, answer
        return answer

    async def listen(
        self,
        call: Call,
        *,
        side: Literal["agent", "customer"] = "agent",
        leg: Leg | None = None,
        speaks: bool = False,
        mode: commands.Mode = "listen",
        mixed: bool = False,
    ) -> AudioConnection:
        """Listen to a call; the connection once it is there."""
        order = self.order_of(call, side=side, leg=leg, speaks=speaks, mode=mode, mixed=mixed)
        await self.obeyed(order)
        return await self.media.of(order.fork_id)

    def order_of(
        self,
        call: Call,
        *,
        side: Literal["agent", "customer"] = "agent",
        leg: Leg | None = None,
        speaks: bool = False,
        mode: commands.Mode = "listen",
        mixed: bool = False,
    ) -> commands.ListenStart:
        if side == "agent" and leg is None:
            leg = self.stage.legs[call.partner]
        return commands.ListenStart(
            fork_id=str(uuid4()),
            call_id=call.id,
            leg_id=leg.id if leg else "",
            agent_id=leg.agent_id if leg else "",
            side=side,
            audio="mixed" if speaks or mixed else "split",
            media=self.media.url,
            speaks=speaks,
            mode=mode,
        )

    # ------------------------------------------------------------ what goes on

    def talking(self) -> list[Call]:
        """Customers' calls in which an agent talks, those first that began last: they go on for a while."""
        found = [
            call
            for call in self.stage.calls.values()
            if call.partner and not call.internal and self.stage.legs[call.partner].state == "talking"
        ]
        return sorted(found, key=lambda call: -call.talk_from)

    async def heard(self, connection: AudioConnection, frames: int = 10) -> bytes:
        """The sound of the next frames."""
        first, goal = len(connection.pcm), len(connection.sizes) + frames
        await self.until(lambda: len(connection.sizes) >= goal or connection.over)
        assert not connection.over
        return bytes(connection.pcm[first:])


@asynccontextmanager
async def listening_floor(
    *, seed: int = 4, audio: Literal["speech", "tones"] = "tones", speed: float = 1.0
) -> AsyncIterator[ListeningFloor]:
    """One at work."""
    async with AudioServer() as media:
        floor = ListeningFloor(media, seed=seed, audio=audio, speed=speed)
        await floor.bus.create(topics.ALL)
        reader = floor.connector.commands(floor.bus)
        tasks = [
            asyncio.create_task(floor.connector.run()),
            asyncio.create_task(floor.connector.sound()),
            asyncio.create_task(reader.run()),
        ]
        try:
            await floor.until(reader.listening.is_set)
            yield floor
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def tones_in(pcm: bytes, *wanted: int) -> set[int]:
    """Which of all tones of the floor are in one channel of sound."""
    known = wanted or (AGENT, COLLEAGUE, CUSTOMER, MUSIC, RINGBACK, WHISPER)
    return {hz for hz in known if goertzel(pcm, RATE, hz) > 1500}


def sides(pcm: bytes) -> tuple[set[int], set[int]]:
    """Tones left and right."""
    left, right = split(pcm)
    return tones_in(left), tones_in(right)
