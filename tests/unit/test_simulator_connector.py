"""The simulated floor as a connector: what it writes, when, and how it says goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.ingest.connectors.simulator.connector import SimulatorConnector
from services.ingest.pipeline import IngestMachine
from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from shared import events, topics
from shared.clock import FakeClock
from shared.events import Event
from shared.memorybus import MemoryBus
from shared.raw import Raw, from_record
from shared.siteconfig import Sites
from tests.ingestkit import T0


class Running:
    """A connector at work in a time that stands still until told."""

    def __init__(self, speed: float) -> None:
        self.clock = FakeClock(T0)
        self.bus = MemoryBus(self.clock)
        self.connector = SimulatorConnector(self.bus, self.clock, site="demo", speed=speed, seed=4)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.bus.create(topics.ALL)
        self._task = asyncio.create_task(self.connector.run())
        await self.clock.advance(0)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def raws(self) -> list[Raw]:
        await self.bus.flush()
        return [
            from_record(r.value, r.headers, r.partition, r.offset, r.written)
            for r in self.bus.records(topics.SWITCH_RAW)
        ]

    async def events(self) -> list[Event]:
        machine = IngestMachine(Sites())
        return [event for raw in await self.raws() for event in machine.apply(raw)]


@pytest.fixture
async def floor() -> AsyncIterator[Running]:
    running = Running(speed=1.0)
    await running.start()
    yield running
    await running.stop()


async def test_it_begins_with_a_link_that_says_it_is_made_up(floor: Running) -> None:
    first, *rest = await floor.events()
    assert isinstance(first.data, events.LinkUp)
    assert first.data.simulated
    assert first.data.speed == 1.0
    assert len(rest) > 100, "the floor is alive at once"
    assert first.time == T0, "figures are counted from now on"
    assert all(event.time <= T0 for event in rest)


async def test_figures_count_all_that_happened_since_they_say_that_they_count() -> None:
    running = Running(speed=1.0)
    await running.clock.advance(0.02)  # until the link comes up
    await running.start()
    engine = Engine(Sites(), RuleBook(()))
    told = await running.events()
    for event in told:
        engine.apply(event)
    board = engine.floor_view()
    assert sum(agent.state == "talk" for agent in board.agents) >= 8, "the board is alive at once"
    assert min(agent.since for agent in board.agents) < T0 - timedelta(minutes=5), "with the times at which it began"
    waiting = sum(queue.waiting for queue in board.queues)

    await running.clock.advance(20 * 60)
    for event in (await running.events())[len(told) :]:
        told.append(event)
        engine.apply(event)
    await running.stop()
    board = engine.floor_view()
    for queue in board.queues:
        assert queue.since is not None
        assert queue.since >= T0
    assert {agent.today.since for agent in board.agents if agent.today is not None} == {T0}
    since = [event.data for event in told if event.time > T0]
    assert sum(queue.offered for queue in board.queues) == waiting + sum(
        isinstance(x, events.CallQueued) for x in since
    )
    ways = [data.reason for data in since if isinstance(data, events.CallDequeued)]
    assert sum(queue.answered for queue in board.queues) == ways.count("answered") > 100
    assert sum(queue.abandoned for queue in board.queues) == ways.count("abandoned")
    assert engine.anomalies("demo") == {}


async def test_records_are_numbered_without_gap(floor: Running) -> None:
    await floor.clock.advance(60)
    raws = await floor.raws()
    assert [raw.seq for raw in raws] == list(range(len(raws)))
    assert {(raw.vendor, raw.site, raw.session) for raw in raws} == {("generic", "demo", floor.connector.session)}


async def test_events_are_written_when_they_happen(floor: Running) -> None:
    await floor.clock.advance(120)
    late = [event for event in await floor.events() if event.time > T0]
    assert len(late) > 200
    for event in late:
        assert event.receivedtime is not None
        assert 0 <= (event.receivedtime - event.time).total_seconds() < 0.3


async def test_what_went_on_before_the_link_came_up_sets_no_clock(floor: Running) -> None:
    await floor.clock.advance(60)
    told = await floor.events()
    assert min(event.time for event in told) < T0 - timedelta(minutes=5)  # of breaks and calls that run since then
    assert not [event for event in told if isinstance(event.data, events.ClockJumped)]


async def test_ten_times_as_fast_is_the_same_floor() -> None:
    fast, slow = Running(speed=10.0), Running(speed=1.0)
    found = []
    for running, seconds in ((fast, 6), (slow, 60)):
        await running.start()
        await running.clock.advance(seconds)
        found.append([(e.time, e.data) for e in await running.events() if not isinstance(e.data, events.LinkUp)])
        await running.stop()
    assert found[0] == found[1]


async def test_it_beats_and_says_goodbye(floor: Running) -> None:
    await floor.clock.advance(21)
    await floor.stop()
    await floor.connector.stop("enough")
    links = [raw for raw in await floor.raws() if raw.kind == "link"]
    assert len(links) == 6  # up, four heartbeats, down
    last = (await floor.events())[-1]
    assert last.data == events.LinkDown(connector="simulator", reason="enough")
