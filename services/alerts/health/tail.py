"""The newest records of topics, looked at about once a second, for little: a busy topic is not read whole.

A look takes what came since the last one. Where that is more than `most` records of a partition it goes on from the last `kept`
of them, unless it is `thorough`.
"""

from __future__ import annotations

from typing import Final

from shared.bus import Bus, Partition, Reader, Record
from shared.errors import OffsetLost
from shared.topics import Topic

PATIENCE_S: Final = 0.5  # how long the broker may keep a fetch back: two a second are enough
READ_S: Final = 5.0  # for what is known to be there; the embedded broker takes its time to find it
MOST_THOROUGH: Final = (
    50_000  # records of a partition that even a thorough look reads: after a pause of ours there may be millions
)


class Tail:
    """One topic's. `open` it, `look` as often as you like, `close` it; all raise BusError."""

    def __init__(self, bus: Bus, topic: Topic, *, most: int, kept: int, back: int) -> None:
        """`back`: records of each partition that the first look goes back."""
        self._bus = bus
        self._topic = topic
        self._most = most
        self._kept = kept
        self._back = back
        self._reader: Reader | None = None
        self._next: dict[Partition, int] = {}
        self._first: dict[Partition, int] = {}

    async def open(self) -> None:
        reader = self._reader = await self._bus.read([self._topic], start="latest", patience_s=PATIENCE_S)
        bounds = await reader.bounds()
        self._first = {place: first for place, (first, _) in bounds.items()}
        self._next = {place: max(first, end - self._back) for place, (first, end) in bounds.items()}
        await reader.seek(self._next)

    async def look(self, *, thorough: bool = False) -> list[Record]:
        """What came since the last look, partition by partition in its order, as far as it is not passed over."""
        reader = self._open_reader()
        behind = await reader.lag()
        ends = {place: self._next[place] + lag for place, lag in behind.items() if lag}
        most = MOST_THOROUGH if thorough else self._most
        ahead = {place: ends[place] - self._kept for place, lag in behind.items() if lag > most}
        if ahead:
            await reader.seek(ahead)
            self._next.update(ahead)
        found: list[Record] = []
        while any(self._next[place] < end for place, end in ends.items()):
            records = await reader.getmany(timeout_s=READ_S)
            if not records:
                break  # what is left there are no records, such as a transaction's marks
            for record in records:
                self._next[record.topic, record.partition] = record.offset + 1
            found += records
        return found

    async def stamped(self, place: Partition, offset: int) -> Record | None:
        """The first record from `offset` on that is kept; where the look stands does not change."""
        reader = self._open_reader()
        here = self._next[place]
        await reader.seek({place: max(offset, self._first[place])})
        try:
            records = [one for one in await reader.getmany(timeout_s=READ_S) if one.partition == place[1]]
        finally:
            await reader.seek(self._next | {place: here})
        return records[0] if records else None

    @property
    def ends(self) -> dict[Partition, int]:
        """The offset after the last record that was looked at or passed over, by partition."""
        return dict(self._next)

    async def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    def _open_reader(self) -> Reader:
        if self._reader is None:
            raise OffsetLost(f"{self._topic.name} is not being read")
        return self._reader
