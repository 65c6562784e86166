"""A small machine, and what drives it in tests of the pump."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from shared.bus import Bus, Record
from shared.errors import InvalidInput
from shared.pump import Outgoing, Pump
from shared.topics import FLOOR_EVENTS, FLOOR_FLAGS
from tests import waiting


class Said(Struct, frozen=True):
    """One input: a word, and where it stood."""

    word: str
    partition: int
    offset: int


class Counted(Struct, frozen=True):
    """One output: how often that word was said by then. The id derives from the position that caused it."""

    id: str
    word: str
    times: int


class Counter:
    """Counts words. `boom` breaks it after it has changed its state; `no` is refused; `later` sets an alarm."""

    def __init__(self) -> None:
        self.times: dict[str, int] = {}
        self.applied = 0
        self.alarm: datetime | None = None

    def apply(self, event: Said) -> Iterable[Counted]:
        if event.word == "no":
            raise InvalidInput("refused", "this word is not counted")
        self.times[event.word] = self.times.get(event.word, 0) + 1
        if event.word == "boom":
            raise RuntimeError("half applied")
        self.applied += 1
        yield Counted(f"{event.partition}-{event.offset}", event.word, self.times[event.word])

    def tick(self, now: datetime) -> Iterable[Counted]:
        assert self.alarm is not None
        due, self.alarm = self.alarm, None
        yield Counted(f"alarm-{due.isoformat()}", "alarm", 1)

    def next_deadline(self) -> datetime | None:
        return self.alarm

    def dump(self) -> bytes:
        return msgspec.json.encode((self.times, self.applied, self.alarm))

    def load(self, state: bytes) -> None:
        self.times, self.applied, self.alarm = msgspec.json.decode(
            state, type=tuple[dict[str, int], int, datetime | None]
        )


def decode(record: Record) -> Said:
    if record.value == b"garbage":
        raise InvalidInput("not_json", "it is garbage")
    if record.value == b"bug":
        raise ZeroDivisionError("in the decoder")
    return Said(record.value.decode(), record.partition, record.offset)


def route(output: Counted) -> Outgoing | None:
    return None if output.word == "quiet" else Outgoing(FLOOR_FLAGS, "s1", msgspec.json.encode(output))


def make_pump(bus: Bus, machine: Counter | None = None, **more: Any) -> Pump[Said, Counted]:
    return Pump("counter", bus, machine or Counter(), topics=[FLOOR_EVENTS], decode=decode, route=route, **more)


async def say(bus: Bus, *words: str, key: str = "s1") -> None:
    for word in words:
        await bus.publish(FLOOR_EVENTS, word.encode(), key=key, headers=(("vendor", b"test"),))
    await bus.flush()


@asynccontextmanager
async def running(pump: Pump[Said, Counted]) -> AsyncIterator[asyncio.Task[None]]:
    """The pump while it runs; stopped cleanly at the end, and an error of its is raised."""
    task = asyncio.create_task(pump.run())
    try:
        yield task
    finally:
        pump.stop()
        async with asyncio.timeout(waiting.PATIENCE_S):
            await task


until = partial(waiting.until, eager=1000, every_s=0.001)  # a pump on a bus in memory is done in some turns of the loop


async def read_all(bus: Bus, topic: Any) -> list[Record]:
    """Everything that is on `topic` now."""
    reader = await bus.read([topic])
    try:
        found: list[Record] = []
        while any((await reader.lag()).values()):
            found += await reader.getmany(timeout_s=1.0)
        return found
    finally:
        await reader.close()


def once(records: Iterable[Record]) -> list[Counted]:
    """The outputs in `records`, each id once, as a reader sees them that drops what it has passed."""
    found: dict[str, Counted] = {}
    for record in records:
        output = msgspec.json.decode(record.value, type=Counted)
        assert found.setdefault(output.id, output) == output, f"two different outputs have the id {output.id}"
    return list(found.values())


HOUR = timedelta(hours=1)
