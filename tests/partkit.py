"""A machine with parts, and a life with interruptions for any pump: what tests of checkpoints by parts share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from shared.bus import Record
from shared.errors import BusError, InvalidInput
from shared.machine import PartedMachine
from shared.memorybus import MemoryBus
from shared.pump import Outgoing, Pace, Pump
from shared.topics import ALL, FLOOR_CHECKPOINTS, FLOOR_EVENTS, FLOOR_FLAGS
from tests.pumpkit import Counted, Said, until
from tests.pumpkit import decode as decode_word

SITES = ("hq", "d", "b", "c")  # two on each of two partitions
PARTITIONS = 2


class Tallies:
    """Counts the words of each site: `site:word`. It knows no position, so whatever it hears twice it counts twice.

    `boom` breaks it after it has changed its state, `no` is refused, `close` makes an end of the site's part.
    """

    def __init__(self) -> None:
        self.times: dict[str, dict[str, int]] = {}

    def apply(self, event: Said) -> Iterable[Counted]:
        site, _, word = event.word.partition(":")
        if word == "no":
            raise InvalidInput("refused", "this word is not counted")
        if word == "close":
            self.times.pop(site, None)
            return
        times = self.times.setdefault(site, {})
        times[word] = times.get(word, 0) + 1
        if word == "boom":
            raise RuntimeError("half applied")
        yield Counted(f"{event.partition}-{event.offset}", event.word, times[word])

    def tick(self, now: datetime) -> Iterable[Counted]:
        return ()

    def next_deadline(self) -> datetime | None:
        return None

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self.times)

    def load(self, state: bytes) -> None:
        self.times = msgspec.msgpack.decode(state, type=dict[str, dict[str, int]])

    def parts(self) -> list[str]:
        return list(self.times)

    def dump_part(self, name: str) -> bytes | None:
        times = self.times.get(name)
        return None if times is None else msgspec.msgpack.encode(times)

    def part_of(self, event: Said) -> str:
        return event.word.partition(":")[0]


def decode(record: Record) -> Said:
    """`site:garbage` and `site:bug` cannot be."""
    word = record.value.partition(b":")[2]
    if word in (b"garbage", b"bug"):
        decode_word(msgspec.structs.replace(record, value=word))
    return Said(record.value.decode(), record.partition, record.offset)


def route(output: Counted) -> Outgoing:
    return Outgoing(FLOOR_FLAGS, output.word.partition(":")[0], msgspec.json.encode(output))


def tallies_pump(bus: MemoryBus, machine: Tallies, **more: Any) -> Pump[Said, Counted]:
    return Pump("tallies", bus, machine, topics=[FLOOR_EVENTS], decode=decode, route=route, **more)


def by_part(machine: PartedMachine[Any, Any]) -> dict[str, bytes | None]:
    """The state of each part, byte by byte; the order of parts on several partitions is nobody's."""
    return {name: machine.dump_part(name) for name in sorted(machine.parts())}


class Fate(NamedTuple):
    """So many records more, in portions with so many turns of the loop in between; then what happens."""

    records: int
    portion: int
    turns: int
    how: str  # stop, kill, kill when saved, kill unacknowledged, outage, none


HOW = ("stop", "kill", "kill when saved", "kill when saved", "kill unacknowledged", "outage", "none")
fates = st.lists(
    st.builds(Fate, st.integers(1, 60), st.integers(1, 30), st.integers(0, 6), st.sampled_from(HOW)),
    min_size=1,
    max_size=6,
)
paces = st.builds(
    lambda records, batch: Pace(
        checkpoint_records=records,
        batch_records=batch,
        parts_s=0.0,
        parts_share=1.0,
        backoff_s=0.0001,
        backoff_max_s=0.001,
    ),
    st.integers(1, 20),
    st.integers(1, 5),
)


class Life:
    """A pump that is interrupted, and the next one that goes on from what it left; one part of a checkpoint at a turn."""

    def __init__(self, log: Sequence[tuple[str, bytes]], make: Callable[[MemoryBus, str], Pump[Any, Any]]) -> None:
        """`log`: key and value of each record; `make`: a pump with a machine of its own, for a writer of that name."""
        self.bus = MemoryBus()
        self.pump: Pump[Any, Any] | None = None
        self._log = log
        self._make = make
        self._done = 0
        self._lives = 0
        self._task: asyncio.Task[None] | None = None

    async def through(self, fates: Iterable[Fate]) -> None:
        """Live through all of it, and stop well at the end of the log."""
        await self.bus.create(ALL, partitions=PARTITIONS)
        first = Fate(len(SITES), 1, 0, "kill when saved")  # as a rule all parts are there before anything happens
        for fate in (first, *fates, Fate(len(self._log), 5, 1, "none")):
            if self.pump is None:
                self._lives += 1
                self.pump = self._make(self.bus, "ab"[self._lives % 2])
                self._task = asyncio.create_task(self.pump.run())
            saved = len(self.bus.records(FLOOR_CHECKPOINTS))
            if fate.how == "kill unacknowledged":
                self.bus.stall(FLOOR_FLAGS)
            await self._tell(fate)
            await self._meet(fate, saved)
        await self._stop()

    async def _tell(self, fate: Fate) -> None:
        for key, value in self._log[self._done : self._done + fate.records]:
            await self.bus.publish(FLOOR_EVENTS, value, key=key)
            self._done += 1
            if self._done % fate.portion == 0:
                await _turn(fate.turns)

    async def _meet(self, fate: Fate, saved: int) -> None:
        assert self.pump is not None
        if fate.how in ("kill when saved", "none"):
            await self.bus.flush()
        if fate.how == "stop":
            await self._stop()
        elif fate.how == "kill when saved":
            await until(lambda: len(self.bus.records(FLOOR_CHECKPOINTS)) > saved or self._caught_up())
            await _turn(fate.turns)
        elif fate.how == "outage":
            lost = self._break_down()
            pump = self.pump
            await until(lambda: pump.status.state == "waiting_for_broker")
            await self._recover(lost)
        elif fate.how == "none":
            await until(self._caught_up)
        if fate.how.startswith("kill"):
            await self._kill()

    def _caught_up(self) -> bool:
        ends = dict.fromkeys(((FLOOR_EVENTS.name, number) for number in range(PARTITIONS)), 0)
        for record in self.bus.records(FLOOR_EVENTS):
            ends[record.topic, record.partition] = record.offset + 1
        return self.pump is not None and self.pump.status.ready and self.pump._next == ends

    async def _stop(self) -> None:
        assert self.pump is not None
        assert self._task is not None
        self.pump.stop()
        await self._task
        self.pump = None

    async def _kill(self) -> None:
        """SIGKILL: what the broker has not acknowledged is lost. What the switch said is not."""
        assert self._task is not None
        self._task.cancel()
        lost = self._break_down()
        await asyncio.wait([self._task])
        await self._recover(lost)
        self.pump = None

    def _break_down(self) -> list[tuple[str, bytes]]:
        """What is not acknowledged is lost; what the switch said is returned, as it will be said again."""
        lost = [(key.decode(), value) for place, key, value, _ in self.bus._unsent if place[0] == FLOOR_EVENTS.name]
        self.bus.break_down()
        return lost

    async def _recover(self, lost: list[tuple[str, bytes]]) -> None:
        self.bus.recover()
        with contextlib.suppress(BusError):
            await self.bus.flush()  # the pump has heard of the failure, or is no more
        for key, value in lost:
            await self.bus.publish(FLOOR_EVENTS, value, key=key)
        await self.bus.flush()


async def _turn(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)
