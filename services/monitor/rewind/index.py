"""Which entries of `floor.history` there are, read from the end backwards and no further than asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from services.monitor.rewind.reading import between
from services.monitor.rewind.records import Entry, Piece, piece_of, state_of
from shared.bus import Bus, Partition, Reader, Record
from shared.topics import FLOOR_HISTORY

_FIRST_LOOK: Final = 32  # records
_FORWARD: Final = 64  # records a step, from the first one on
_MOST: Final = 100_000  # entries; a day of three hundred sites


class _Save(Struct):
    """Where the records of an entry are, by index."""

    piece: Piece
    places: dict[int, tuple[Partition, int]]

    @property
    def is_whole(self) -> bool:
        return len(self.places) == self.piece.count


class HistoryIndex:
    """The entries by site. Holds no states: `state` reads one again."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._reader: Reader | None = None
        self._saves: dict[str, _Save] = {}
        self._low: dict[Partition, int] = {}
        self._high: dict[Partition, int] = {}
        self._first: dict[Partition, int] = {}
        self._look = _FIRST_LOOK

    async def refresh(self) -> None:
        """Take in what was written since the last time. Raises BusError."""
        reader = await self._open()
        bounds = await reader.bounds()
        if any(self._high.get(place, 0) > end for place, (_, end) in bounds.items()) or len(self._saves) > _MOST:
            self._forget()  # the topic was made anew
        self._first = {place: first for place, (first, _) in bounds.items()}
        upper = {place: end for place, (_, end) in bounds.items()}
        if not self._high:
            self._low = self._high = upper
            await self._back()
            return
        await self._take(self._high, upper)
        self._high = upper
        self._let_go()

    async def newest(self, site: str) -> Entry | None:
        """The newest entry of `site`; None where there is none."""
        while not (found := self.entries(site)):
            if not await self._back():
                return None
        return found[-1]

    async def until(self, site: str, moment: datetime) -> list[Entry]:
        """The entries of `site` with a time up to `moment`, the one furthest in the log first, as far as they were read: at
        least the first of them, where there is any. Raises BusError."""
        while not (found := [entry for entry in self.entries(site) if entry.time <= moment]):
            if not await self._back():
                return []
        return found[::-1]

    async def older(self) -> bool:
        """Read further back; False when there is no more. Raises BusError."""
        return await self._back()

    async def oldest(self, site: str) -> Entry | None:
        """The first entry of `site` that is kept. Raises BusError."""
        if self._low == self._high and not self.entries(site):
            return None
        position = dict(self._first)
        while any(position[place] < self._low[place] for place in position):
            upper = {place: min(at + _FORWARD, self._low[place]) for place, at in position.items()}
            found = await self._read(position, upper)
            mine = [piece.entry for piece, _ in found if piece.entry.site == site and piece.index == 0]
            if mine:
                return mine[0]
            position = upper
        found_here = self.entries(site)
        return found_here[0] if found_here else None

    def entries(self, site: str) -> list[Entry]:
        """Those known by now and whole, in the order of the log they cover; not those of a log that is no more."""
        found = [save.piece.entry for save in self._saves.values() if save.piece.entry.site == site and save.is_whole]
        if not found:
            return []
        lives = max(found, key=lambda entry: entry.taken).lives
        return sorted((entry for entry in found if entry.lives == lives), key=lambda entry: (entry.reached, entry.save))

    async def state(self, entry: Entry) -> bytes | None:
        """Its state; None when it is damaged or no longer kept. Raises BusError."""
        save = self._saves.get(entry.save)
        if save is None:
            return None
        reader = await self._open()
        records: dict[int, Record] = {}
        for index, (place, offset) in save.places.items():
            async for found in between(reader, {place: offset}, {place: offset + 1}, batch=1):
                records[index] = found[0]
        return state_of(records, save.piece)

    async def close(self) -> None:
        """Let go of the broker until it is asked again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def _open(self) -> Reader:
        if self._reader is None:
            self._reader = await self._bus.read([FLOOR_HISTORY])
        return self._reader

    async def _back(self) -> bool:
        if all(self._low[place] <= first for place, first in self._first.items()):
            return False
        lower = {place: max(first, self._low[place] - self._look) for place, first in self._first.items()}
        await self._take(lower, self._low)
        self._low, self._look = lower, self._look * 2
        return True

    async def _take(self, lower: dict[Partition, int], upper: dict[Partition, int]) -> None:
        for piece, record in await self._read(lower, upper):
            save = self._saves.setdefault(piece.entry.save, _Save(piece, {}))
            save.places[piece.index] = ((record.topic, record.partition), record.offset)

    async def _read(self, lower: dict[Partition, int], upper: dict[Partition, int]) -> list[tuple[Piece, Record]]:
        """What is there, without the values, which may be megabytes each."""
        found = []
        async for records in between(await self._open(), lower, upper, batch=64):
            found += [(piece, _bare(record)) for record in records if (piece := piece_of(record)) is not None]
        return found

    def _let_go(self) -> None:
        """Of entries whose records are no longer kept."""
        gone = [
            name
            for name, save in self._saves.items()
            if any(offset < self._first.get(place, 0) for place, offset in save.places.values())
        ]
        for name in gone:
            del self._saves[name]

    def _forget(self) -> None:
        self._saves.clear()
        self._low, self._high, self._look = {}, {}, _FIRST_LOOK


def _bare(record: Record) -> Record:
    return Record(record.topic, record.partition, record.offset, record.key, b"", (), record.written)
