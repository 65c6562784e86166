"""A bus in memory: the twin of `shared.kafka.KafkaBus` for tests and for replays without a broker.

It can fail as a broker fails: `break_down` and `recover`, `stall`, `forget_everything` and `forget_before`.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Iterable, Mapping
from typing import Literal

from shared.bus import Headers, Partition, Record, beyond_end, check_assigned, check_size, not_kept
from shared.clock import Clock, SystemClock
from shared.errors import BusError, OffsetLost
from shared.topics import Topic


class MemoryBus:
    """Topics as lists. A record counts as sent at the next turn of the loop, as a broker's answer does not come at once."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._logs: dict[Partition, list[Record]] = {}
        self._counts: dict[str, int] = {}
        self._firsts: dict[Partition, int] = {}
        self._unsent: list[tuple[Partition, bytes, bytes, Headers]] = []
        self._unsent_since = 0.0
        self._down: str | None = None
        self._failure: BusError | None = None
        self._grown = asyncio.Event()
        self._stalled: set[str] = set()
        self.flushes_waiting = 0

    # What a bus does

    async def create(self, topics: Iterable[Topic], *, partitions: int = 1) -> None:
        self.check_up()
        for topic in topics:
            if topic.name not in self._counts:
                self._counts[topic.name] = partitions
                self._logs.update({(topic.name, number): [] for number in range(partitions)})

    async def publish(self, topic: Topic, value: bytes, *, key: str, headers: Headers = ()) -> None:
        raw_key = key.encode()
        check_size(topic, raw_key, value, headers)
        self._raise_failure()
        self.check_up()
        count = self._counts.get(topic.name)
        if count is None:
            raise BusError(f"topic {topic.name} does not exist in memory; create it first")
        asyncio.get_running_loop().call_soon(self._send)
        if not self._unsent:
            self._unsent_since = self._clock.monotonic()
        self._unsent.append(((topic.name, zlib.crc32(raw_key) % count), raw_key, value, headers))

    async def flush(self) -> None:
        self._send()
        self.flushes_waiting += 1
        try:
            while self._unsent:
                await self._grown.wait()
        finally:
            self.flushes_waiting -= 1
        self._raise_failure()

    def unsent_s(self) -> float:
        if self._failure is not None:
            return math.inf
        return self._clock.monotonic() - self._unsent_since if self._unsent else 0.0

    def forget_unsent(self) -> None:
        self._unsent.clear()
        self._failure = None
        self._wake()

    async def read(
        self,
        topics: Iterable[Topic],
        *,
        start: Literal["earliest", "latest"] = "earliest",
        partitions: Iterable[int] | None = None,
        patience_s: float = 0.0,
    ) -> MemoryReader:
        self.check_up()
        wanted = None if partitions is None else set(partitions)
        offsets: dict[Partition, int] = {}
        for topic in topics:
            if topic.name not in self._counts:
                raise BusError(f"topic {topic.name} does not exist in memory; create it first")
            numbers = set(range(self._counts[topic.name]))
            if wanted is not None and not wanted <= numbers:
                raise BusError(f"topic {topic.name} has no partition {sorted(wanted - numbers)}, it has {len(numbers)}")
            for number in sorted(numbers if wanted is None else wanted):
                place = (topic.name, number)
                offsets[place] = self.first(place) if start == "earliest" else len(self._logs[place])
        return MemoryReader(self, self._clock, offsets)

    async def close(self) -> None:
        await self.flush()

    # What tests do to it

    def break_down(self, reason: str = "connection refused") -> None:
        """From now on nothing answers; what is not flushed is lost."""
        self._down = reason
        if self._unsent:
            self._unsent.clear()
            self._failure = self._unreachable()
        self._wake()

    def stall(self, topic: Topic) -> None:
        """From now on records for `topic` are neither acknowledged nor refused."""
        self._stalled.add(topic.name)

    def recover(self) -> None:
        self._down = None
        self._stalled.clear()
        self._send()

    def forget_everything(self) -> None:
        """What a broker in memory does when it starts again: no topic is left."""
        self._logs.clear()
        self._counts.clear()
        self._firsts.clear()
        self._wake()

    def forget_before(self, topic: Topic, partition: int, offset: int) -> None:
        """What retention does."""
        self._firsts[topic.name, partition] = offset

    def records(self, topic: Topic) -> list[Record]:
        """All records of a topic, partition by partition."""
        return [record for (name, _), log in sorted(self._logs.items()) if name == topic.name for record in log]

    # What its readers ask

    def check_up(self) -> None:
        if self._down is not None:
            raise self._unreachable()

    def log(self, place: Partition) -> list[Record]:
        self.check_up()
        return self._logs.get(place, [])

    def first(self, place: Partition) -> int:
        return self._firsts.get(place, 0)

    async def grown(self, timeout_s: float) -> None:
        """Return when a record was added, or after `timeout_s`."""
        timer = asyncio.ensure_future(self._clock.sleep(timeout_s))
        event = asyncio.ensure_future(self._grown.wait())
        try:
            await asyncio.wait((timer, event), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            event.cancel()

    def _send(self) -> None:
        held = []
        for place, key, value, headers in self._unsent:
            if place[0] in self._stalled:
                held.append((place, key, value, headers))
                continue
            log = self._logs.setdefault(place, [])
            log.append(Record(*place, len(log), key, value, headers, self._clock.now()))
        if len(held) < len(self._unsent):
            self._unsent = held
            self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _unreachable(self) -> BusError:
        return BusError(f"cannot reach the bus in memory: {self._down}")


class MemoryReader:
    def __init__(self, bus: MemoryBus, clock: Clock, offsets: dict[Partition, int]) -> None:
        self._bus = bus
        self._clock = clock
        self._next = offsets

    async def getmany(self, *, timeout_s: float, max_records: int = 2000) -> list[Record]:
        give_up = self._clock.monotonic() + timeout_s
        while True:
            found = self._take(max_records)
            left = give_up - self._clock.monotonic()
            if found or left <= 0:
                return found
            await self._bus.grown(left)

    async def bounds(self) -> Mapping[Partition, tuple[int, int]]:
        return {place: (self._bus.first(place), len(self._bus.log(place))) for place in self._next}

    async def seek(self, offsets: Mapping[Partition, int]) -> None:
        check_assigned(offsets, self._next)
        self._next.update(offsets)

    async def lag(self) -> Mapping[Partition, int]:
        return {place: self._end(place) - offset for place, offset in self._next.items()}

    @property
    def eases(self) -> bool:
        return False

    def overdue_s(self) -> float:
        return 0.0

    async def close(self) -> None:
        self._next.clear()

    def _take(self, max_records: int) -> list[Record]:
        found: list[Record] = []
        for place, offset in self._next.items():
            self._end(place)
            records = self._bus.log(place)[offset : offset + max_records - len(found)]
            self._next[place] = offset + len(records)
            found += records
        return found

    def _end(self, place: Partition) -> int:
        end = len(self._bus.log(place))
        if self._next[place] > end:
            raise OffsetLost(beyond_end(place, self._next[place], end))
        if self._next[place] < self._bus.first(place):
            raise OffsetLost(not_kept(place, self._next[place], self._bus.first(place)))
        return end
