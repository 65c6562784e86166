"""Rewound to any moment, the floor is what the board showed then, whichever states of it were kept, in whatever order one asks.

What the board showed at a moment is the last picture that the live engine had, in the order of the log, when its site's clock
was not beyond that moment. So moments that came twice, because the clock was set back, are shown as they came the second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.monitor.app import decode
from services.monitor.core.engine import Engine
from services.monitor.core.views import FloorView, SiteView
from services.monitor.feed.lens import Lens
from services.monitor.rewind.rewinder import NotShown, Rewinder
from services.monitor.rewind.writer import HistoryWriter
from shared import events
from shared.auth import Scope
from shared.clock import SystemClock
from shared.codec import encode
from shared.events import Event
from shared.memorybus import MemoryBus
from shared.siteconfig import Sites
from shared.topics import ALL, FLOOR_EVENTS
from tests.floorkit import RULES, SITE, at, event
from tests.property.floors import Told, plausible
from tests.property.histories import CONFIG
from tests.property.test_engine_recovery import log_of
from tests.property.test_parted_checkpoints import FLOORS, logs_of_floors

ONE = Sites({SITE: CONFIG.site(SITE)})
MOMENTS = 15
Moment = tuple[str, datetime]


class Past:
    """A live engine fed from a log, what it showed, and the states that were kept of it."""

    def __init__(self, config: Sites) -> None:
        self.bus = MemoryBus()
        self.config = config
        self.engine = Engine(config, RULES)
        self.shown: list[tuple[Moment, FloorView]] = []
        self.kept: dict[str, list[datetime]] = {}  # by site

    async def live(self, log: Iterable[Event], checkpoints: set[int], partitions: int = 1) -> None:
        """Let the engine live through `log`, a state of every site being kept at each of `checkpoints`."""
        await self.bus.create(ALL, partitions=partitions)
        for one in log:
            await self.bus.publish(FLOOR_EVENTS, encode(one), key=one.site)
        await self.bus.flush()
        offsets = {("floor.events", number): 0 for number in range(partitions)}
        for number, record in enumerate(self.bus.records(FLOOR_EVENTS)):
            told = decode(record)
            self.engine.apply(told)
            offsets[record.topic, record.partition] = record.offset + 1
            now = self.engine.clocks().get(told.site, (None,))[0]
            if now is not None:
                self.shown.append(((told.site, now), of_site(self.engine, told.site)))
            if number in checkpoints or isinstance(told.data, events.ClockJumped):
                await self.keep(offsets)

    async def keep(self, offsets: dict[tuple[str, int], int]) -> None:
        """As a monitor does to which it is time at every checkpoint."""
        writer = HistoryWriter(self.bus, SystemClock(), self.look, CollectorRegistry(), every_s=0.000001, records=1)
        for site in self.engine.parts():
            writer.take(site, self.engine.dump_part(site), offsets, {})
            view = self.look(site)
            if view is not None and view.now is not None:
                self.kept.setdefault(site, []).append(view.now)
        await writer._write_all()

    def moments(self) -> list[Moment]:
        """Where clocks stood that have not been set back to before since."""
        latest = {site: now for (site, now), _ in self.shown}
        return sorted({(site, now) for (site, now), _ in self.shown if now <= latest[site]})

    def at(self, site: str, moment: datetime) -> FloorView:
        return next(view for (of, now), view in reversed(self.shown) if of == site and now <= moment)

    def look(self, site: str) -> SiteView | None:
        view = self.engine.view("site", site, site)
        return view if isinstance(view, SiteView) else None


def of_site(engine: Engine, site: str) -> FloorView:
    return Lens(Scope(sites=frozenset({site}))).floor(engine.floor_view())


def some_of(data: st.DataObject, moments: Iterable[Moment]) -> list[Moment]:
    """Some of them, in some order."""
    chance = Random(data.draw(st.integers(0, 2**32)))
    return chance.sample(found := sorted(moments), min(MOMENTS, len(found)))


async def _as_it_was(past: Past, order: list[Moment]) -> None:
    rewinder = Rewinder(past.bus, past.config, RULES)
    for site, moment in order:
        if all(moment < kept for kept in past.kept.get(site, ())):
            with pytest.raises(NotShown) as refused:
                await rewinder.show(site, moment)
            assert refused.value.status == 409
            assert refused.value.earliest == next(iter(past.kept.get(site, ())), None)
            continue
        stretch = await rewinder.show(site, moment)
        assert stretch.engine.floor_view() == past.at(site, moment)


@settings(max_examples=25)
@given(st.data(), plausible(apart=0.01))
def test_a_floor_is_shown_as_it_was(data: st.DataObject, told: Told) -> None:
    log = log_of(told)
    checkpoints = data.draw(st.sets(st.integers(0, len(log)), min_size=1, max_size=4))

    async def run() -> None:
        past = Past(ONE)
        await past.live(log, checkpoints)
        await _as_it_was(past, some_of(data, past.moments()))

    asyncio.run(run())


@settings(max_examples=25)
@given(st.data(), logs_of_floors(), st.integers(1, 2))
def test_each_of_several_sites_is_shown_as_it_was_whatever_happened(
    data: st.DataObject, log: list[Event], partitions: int
) -> None:
    """Events late, twice and impossible, links lost, sites together on a partition or apart."""
    checkpoints = data.draw(st.sets(st.integers(0, len(log)), min_size=1, max_size=4))

    async def run() -> None:
        past = Past(FLOORS)
        await past.live(log, checkpoints, partitions)
        await _as_it_was(past, some_of(data, past.moments()))

    asyncio.run(run())


def _heard(one: Event, real: float) -> Event:
    return msgspec.structs.replace(one, receivedtime=at(real))


def _with_the_clock_set(told: Told, jumps: list[tuple[int, float]]) -> list[Event]:
    """The log of a floor whose clock is set before some of its events, by so many seconds; a mark from before is late."""
    found: list[Event] = []
    moved, jump, offset, by = 0.0, -1, 0, dict(jumps)
    for number, (now, data) in enumerate(told):
        if number and number in by:
            late = _heard(event(now + moved + 0.02, events.Clock(jump=jump)), now)
            moved += by[number]
            found.append(_heard(event(now + moved, events.ClockJumped(by_s=by[number]), offset), now))
            found.append(late)
            jump, offset = offset, offset + 1
        found.append(_heard(event(now + moved, events.Clock(jump=jump)), now))
        found.append(_heard(event(now + moved, data, offset), now))
        offset += 1
    return [*found, event(told[-1][0] + moved + 60, events.Clock(jump=jump))]


@settings(max_examples=25)
@given(
    st.data(),
    plausible(apart=0.01),
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([-3600.0, -30.0, -4.0, 5.0, 3600.0])), max_size=3),
)
def test_moments_that_came_twice_are_shown_as_they_came_the_second_time(
    data: st.DataObject, told: Told, jumps: list[tuple[int, float]]
) -> None:
    log = _with_the_clock_set(told, jumps)
    checkpoints = data.draw(st.sets(st.integers(0, len(log)), min_size=1, max_size=4))

    async def run() -> None:
        past = Past(ONE)
        await past.live(log, checkpoints)
        await _as_it_was(past, some_of(data, past.moments()))

    asyncio.run(run())


def test_after_the_clock_was_set_back_the_second_time_counts() -> None:
    """A state kept before the clock was set is nearer to the moment by its time, and not by the log."""
    told: Told = [(float(second), events.AgentLoggedOn(agent_id=str(second % 7))) for second in range(0, 200, 5)]
    log = _with_the_clock_set(told, [(20, -30.0)])  # from 09:01:40 to 09:01:10

    async def run() -> None:
        past = Past(ONE)
        await past.live(log, {37})
        assert past.kept[SITE] == [at(90), at(70)]
        await _as_it_was(past, past.moments())

    asyncio.run(run())
