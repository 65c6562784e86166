"""The load: a simulated floor played on many sites, as the canonical events and clock marks that ingest would write.

Sites differ in their name and by some seconds. Marks come at the real pace and are held back as ingest holds them, so
that they are as large a part of the records as they are in life.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from services.ingest.connectors.simulator.floor import STARTS_S, SimulatedFloor, Told
from services.ingest.marker import grain_s
from shared import events
from shared.codec import encode
from shared.settings import IngestSettings

START: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
CROWD: Final = 40  # people of a simulated floor; larger ones are multiples of it
_HOLD_BACK_S: Final = 0.1
_SPREAD_S: Final = 26.0  # from the first site to the last, or all would do the same at the same moment
_CHUNK_S: Final = 60.0
_WARMS_UP_S: Final = 15 * 60.0


class Item(NamedTuple):
    """A record of `floor.events`: when it is due, in seconds of floor time since START, and its bytes."""

    due_s: float
    site: str
    value: bytes


class Size(NamedTuple):
    """How large a load: `crowd` times forty agents on each site."""

    sites: int
    crowd: int

    @property
    def agents(self) -> int:
        return self.sites * self.crowd * CROWD

    @property
    def names(self) -> list[str]:
        return [f"site-{number:02}" for number in range(self.sites)]


SMALL: Final = Size(sites=2, crowd=1)
LARGE: Final = Size(sites=20, crowd=13)  # 10 400 agents, some 5000 to 6000 calls at a time
MANY: Final = Size(sites=250, crowd=1)  # as many on floors as `make run` shows one


class Load:
    """Records in the order in which ingest would write them: first `opening`, then `run` for any time, in parts."""

    def __init__(self, size: Size, *, speed: float = 1.0, mark_s: float | None = None) -> None:
        """`speed`: seconds of floor time in one of ours, as a simulated floor says it; marks are `mark_s` of ours apart, as
        ingest writes them when that is not given."""
        self.size = size
        self._speed = speed
        self._floor = SimulatedFloor(1, START, crowd=size.crowd, opens_s=STARTS_S - _WARMS_UP_S)
        self._sites = [_Site(name, index, _SPREAD_S * index / size.sites) for index, name in enumerate(size.names)]
        self._latest = timedelta(seconds=self._sites[-1].shift_s)
        self._mark_s = (grain_s(size.sites, IngestSettings().mark_s) if mark_s is None else mark_s) * speed
        self._now_s = 0.0
        self._coming: list[Told] = []

    def opening(self) -> Iterator[Item]:
        """What already goes on when the floors open."""
        link = Told(self._floor.start, events.LinkUp(connector="bench", simulated=True, speed=self._speed))
        self._coming = self._floor.next(START + self._latest)
        for site in self._sites:
            yield from (site.item(one) for one in (link, *self._floor.opening))
            while site.place < len(self._coming) and self._coming[site.place].time < START + site.shift:
                yield site.item(self._coming[site.place])
                site.place += 1

    def run(self, seconds: float) -> Iterator[Item]:
        """The next `seconds` of floor time."""
        until = self._now_s + seconds
        while self._now_s < until - 1e-9:
            step = min(_CHUNK_S, until - self._now_s)
            yield from self._chunk(self._now_s, self._now_s + step)
            self._now_s += step

    def _chunk(self, begin_s: float, end_s: float) -> Iterator[Item]:
        """One chunk, in slices of a mark's grain: what every site did in the slice, then its mark."""
        self._coming += self._floor.next(START + timedelta(seconds=end_s) + self._latest)
        times = [(one.time - START).total_seconds() for one in self._coming]
        slices = max(1, round((end_s - begin_s) / self._mark_s))
        for number in range(1, slices + 1):
            until = begin_s + (end_s - begin_s) * number / slices
            for site in self._sites:
                while site.place < len(times) and times[site.place] < until + site.shift_s:
                    yield site.item(self._coming[site.place])
                    site.place += 1
                yield site.mark(until, _HOLD_BACK_S * self._speed, self._speed)
        done = min(site.place for site in self._sites)
        for site in self._sites:
            site.place -= done
        del self._coming[:done]


class _Site:
    """Writes one site's records. Its floor is `shift_s` ahead of the first site's."""

    def __init__(self, name: str, index: int, shift_s: float) -> None:
        self.name = name
        self.shift_s = shift_s
        self.shift = timedelta(seconds=shift_s)
        self.place = 0  # in what is to come
        self._index = index
        self._source = f"/sites/{name}/bench"
        self._offset = 0

    def item(self, told: Told) -> Item:
        time = told.time - self.shift
        event = events.make(
            told.data,
            id=f"{self.name}:{self._index}:{self._offset}:0",
            source=self._source,
            site=self.name,
            time=time,
            receivedtime=time + timedelta(milliseconds=3),
            rawpartition=self._index,
            rawoffset=self._offset,
        )
        self._offset += 1
        return Item((time - START).total_seconds(), self.name, encode(event))

    def mark(self, due_s: float, hold_back_s: float, speed: float) -> Item:
        time = START + timedelta(seconds=due_s - hold_back_s)
        event = events.make(
            events.Clock(skew_s=0.003, speed=speed),
            id=f"{self.name}:clock:{round(due_s * 1e6)}",
            source=f"/sites/{self.name}/clock",
            site=self.name,
            time=time,
            receivedtime=time,
        )
        return Item(due_s, self.name, encode(event))
