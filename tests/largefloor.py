"""Many sites with many agents at full speed: canonical events with marks, as ingest would write them, without a clock.

    for event in large_floor(sites=20, agents=500, lasts=timedelta(hours=1)):
        engine.apply(event)

Every site is a simulated floor of its own seed. At 10:00 of its day (`START`) each is in the middle of a morning.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from services.ingest.connectors.simulator.floor import STARTS_S, SimulatedFloor
from shared import events
from shared.envelope import Data
from shared.events import Event

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
CROWD = 40  # people of a simulated floor; larger ones are multiples of it
_WARMS_UP_S = 5 * 60.0


class LargeSite:
    """One site: its floor and how far its log has come."""

    def __init__(self, number: int, agents: int, seed: int) -> None:
        self.name = f"site-{number:02d}"
        self._partition = number
        self._offset = 0
        self._source = f"/sites/{self.name}/simulator"
        self._floor = SimulatedFloor(
            seed * 1000 + number, START, crowd=-(-agents // CROWD), opens_s=STARTS_S - _WARMS_UP_S
        )

    def opening(self) -> Iterator[Event]:
        """The link comes up, and what is already going on."""
        yield self._event(self._floor.start, events.LinkUp(connector="simulator", simulated=True))
        for told in self._floor.opening:
            yield self._event(*told)

    def until(self, now: datetime) -> Iterator[Event]:
        """What happened since the last call, then the mark of `now`."""
        for told in self._floor.next(now):
            yield self._event(*told)
        yield events.make(events.Clock(), id="", source=self._source, site=self.name, time=now)

    def _event(self, time: datetime, data: Data) -> Event:
        self._offset += 1
        return events.make(
            data,
            id=f"{self.name}-{self._offset}",
            source=self._source,
            site=self.name,
            time=time,
            rawpartition=self._partition,
            rawoffset=self._offset,
        )


def large_floor(
    sites: int = 20,
    agents: int = 500,
    lasts: timedelta = timedelta(hours=1),
    *,
    seed: int = 1,
    mark: timedelta = timedelta(seconds=1),
) -> Iterator[Event]:
    """The log of `sites` sites with at least `agents` people each (rounded up to forties), site by site in steps of `mark`.

    Positions grow within a site, whose partition is its number. 500 agents say some 55 events a second.
    """
    floors = [LargeSite(number, agents, seed) for number in range(sites)]
    for floor in floors:
        yield from floor.opening()
    now = START
    while now < START + lasts:
        now += mark
        for floor in floors:
            yield from floor.until(now)
