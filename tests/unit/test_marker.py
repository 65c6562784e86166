"""The task that writes clock marks: how often, and when not."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import pytest

from services.ingest.holdback import LEAST_S
from services.ingest.marker import COARSEST_S, READS_S, Marker, grain_s
from services.ingest.marks import HOLD_BACK_S, SILENCE_S, SiteClock
from shared import events, topics
from shared.clock import FakeClock
from shared.codec import decode_event
from shared.events import Event
from shared.memorybus import MemoryBus
from shared.pumpstatus import PumpStatus
from tests.ingestkit import T0
from tests.unit.test_marks import LINK, at, event

GRAIN_S = 0.05


class Marking:
    """A marker at work for one site, in a time that stands still until told."""

    def __init__(self) -> None:
        self.clock = FakeClock(T0)
        self.bus = MemoryBus(self.clock)
        self.status = PumpStatus("ingest", state="live")
        self.site = SiteClock("s")
        self.site.observe(event(LINK, occurred=0, received=0))
        self.unsent_s = self.unheard_s = self.cut_off_s = 0.0
        self.marker = Marker(
            self.bus,
            self.clock,
            {"s": self.site},
            self.status,
            mark_s=GRAIN_S,
            unsent_s=lambda: self.unsent_s,
            unheard_s=lambda: self.unheard_s,
            cut_off_s=lambda: self.cut_off_s,
        )

    async def marks_of(self, seconds: float) -> list[Event]:
        """The marks written in that time."""
        before = len(await self._all())
        await self.clock.advance(seconds)
        return (await self._all())[before:]

    async def _all(self) -> list[Event]:
        await self.bus.flush()
        return [decode_event(record.value) for record in self.bus.records(topics.FLOOR_EVENTS)]


@pytest.fixture
async def marking() -> AsyncIterator[Marking]:
    marking = Marking()
    await marking.bus.create(topics.ALL)
    task = asyncio.create_task(marking.marker.run())
    await marking.clock.advance(10)  # the link came up ten seconds ago, nothing has happened since
    yield marking
    task.cancel()
    await asyncio.wait([task])


def started() -> Event:
    return event(events.CallStarted(call_id="a"), occurred=10, received=10)


async def test_a_quiet_site_has_a_mark_a_second(marking: Marking) -> None:
    assert len(await marking.marks_of(10)) == 10


async def test_a_site_where_something_runs_has_twenty(marking: Marking) -> None:
    marking.site.observe(started())
    marks = await marking.marks_of(10)
    assert 198 <= len(marks) <= 200
    assert marks[-1].time >= at(20 - HOLD_BACK_S - GRAIN_S)


async def test_the_first_mark_after_a_call_began_comes_at_once(marking: Marking) -> None:
    await marking.clock.advance(0.3)  # in the middle of a quiet second
    marking.site.observe(started())
    assert len(await marking.marks_of(2 * GRAIN_S)) >= 1


@pytest.mark.parametrize("state", ["restoring", "replaying", "waiting_for_broker"])
async def test_no_marks_while_the_past_is_read(state: str, marking: Marking) -> None:
    marking.status.state = state  # type: ignore[assignment]
    assert await marking.marks_of(5) == []


async def test_marks_are_behind_while_ingest_is(marking: Marking) -> None:
    """A mark says: up to here you know all."""
    marking.status.behind_s = 3.0
    marking.site.observe(started())
    marks = await marking.marks_of(5)
    assert at(15 - 3 - HOLD_BACK_S - GRAIN_S) <= marks[-1].time <= at(15 - 3 - HOLD_BACK_S)


@pytest.mark.parametrize("unsent_s", [3.0, math.inf])
async def test_no_mark_overtakes_events_that_the_broker_does_not_take(unsent_s: float, marking: Marking) -> None:
    """Marks have a connection of their own, which may be served while that of the events is not."""
    marking.unsent_s = unsent_s
    marking.site.observe(started())
    marks = await marking.marks_of(5)
    assert [mark for mark in marks if mark.time > at(15 - 3 - HOLD_BACK_S)] == []
    assert bool(marks) is math.isfinite(unsent_s)


async def test_no_mark_overtakes_what_the_broker_has_not_told(marking: Marking) -> None:
    """The connection that events are read on may be stuck while that of the marks is well."""
    marking.unheard_s = 3.0
    marking.site.observe(started())
    marks = await marking.marks_of(5)
    assert marks
    assert [mark for mark in marks if mark.time > at(15 - 3 - HOLD_BACK_S)] == []


async def test_after_a_pause_of_the_process_marks_wait_until_its_events_are_read(marking: Marking) -> None:
    """On waking the marker may have its turn before the pump: what happened in the pause is not known yet then."""
    marking.site.observe(started())
    marking.status.turned = marking.clock.monotonic()
    await marking.marks_of(1)
    marking.clock.pause(60)
    assert await marking.marks_of(3) == []
    marking.status.turned, marking.status.behind_s = marking.clock.monotonic(), 50.0
    marks = await marking.marks_of(1)
    assert marks[-1].time <= at(10 + 1 + 60 + 3 + 1 - 50 - HOLD_BACK_S)
    marking.status.behind_s = 0.0
    assert (await marking.marks_of(1))[-1].time >= at(10 + 1 + 60 + 3 + 2 - HOLD_BACK_S - GRAIN_S)


async def test_after_an_outage_marks_wait_until_the_connector_has_handed_over_what_it_kept(marking: Marking) -> None:
    """Its backlog holds the end of what began before the outage; a mark ahead of it would flag what had long ended."""
    marking.site.observe(started())
    await marking.clock.advance(5)
    marking.status.broker_back = marking.clock.now()  # at second 15
    marking.site.heard("c", at(14))
    assert await marking.marks_of(2) == []
    marking.site.heard("c", at(15.5))
    assert (await marking.marks_of(1))[-1].time >= at(18 - HOLD_BACK_S - GRAIN_S)


async def test_an_outage_that_our_client_got_over_by_itself_is_one_for_connectors_all_the_same(
    marking: Marking,
) -> None:
    """A broker that is killed and started at once: ended transfers were flagged while a connector had yet to say so."""
    marking.site.observe(started())
    marking.unheard_s = marking.cut_off_s = 3.0
    await marking.clock.advance(5)  # to second 15
    marking.unheard_s = marking.cut_off_s = 0.0
    marking.site.heard("c", at(14))
    assert await marking.marks_of(2) == []
    marking.site.heard("c", at(15.5))
    assert (await marking.marks_of(1))[-1].time >= at(18 - HOLD_BACK_S - GRAIN_S)


async def test_a_connector_that_has_nothing_to_say_is_not_waited_for_for_ever(marking: Marking) -> None:
    marking.status.broker_back = marking.clock.now()
    assert await marking.marks_of(SILENCE_S - 1) == []
    assert len(await marking.marks_of(3)) >= 1


async def test_a_lost_broker_is_waited_for(marking: Marking) -> None:
    marking.bus.break_down()
    await marking.clock.advance(5)
    marking.bus.recover()
    assert len(await marking.marks_of(5)) >= 4


async def test_marks_follow_as_closely_as_events_come(marking: Marking) -> None:
    for number in range(80):
        came = event(events.CallStarted(call_id=f"c{number}"), occurred=10 + number / 2, received=10 + number / 2)
        marking.site.observe(came)
        marking.marker.arrived([came])
        await marking.clock.advance(0.5)
    assert marking.marker.hold_back_s("s") == LEAST_S
    assert (await marking.marks_of(1))[-1].time >= at(51 - LEAST_S - GRAIN_S)


async def test_a_site_whose_events_come_late_has_its_marks_held_back_for_it(marking: Marking) -> None:
    for number in range(80):
        came = event(events.CallStarted(call_id=f"c{number}"), occurred=10 + number / 2, received=10 + number / 2)
        marking.site.observe(came)
        await marking.clock.advance(0.03)  # on its way through the broker
        marking.marker.arrived([came])
        await marking.clock.advance(0.47)
    assert marking.marker.hold_back_s("s") == pytest.approx(0.03 + 0.015)
    assert (await marking.marks_of(1))[-1].time <= at(51 - 0.03)


async def test_what_is_replayed_says_nothing_of_how_late_events_come(marking: Marking) -> None:
    marking.status.state = "replaying"
    marking.marker.arrived([started()] * 100)
    assert marking.marker.hold_back_s("s") == HOLD_BACK_S


class Late(FakeClock):
    """Wakes whoever sleeps so much later than asked."""

    late_s = 0.0

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + self.late_s)


@pytest.fixture
async def late() -> AsyncIterator[tuple[Late, Marking]]:
    """A marker that follows events closely, on a clock that can be late."""
    marking, clock = Marking(), Late(T0)
    marking.clock, marking.bus = clock, MemoryBus(clock)
    await marking.bus.create(topics.ALL)
    marking.marker = Marker(marking.bus, clock, {"s": marking.site}, marking.status, mark_s=GRAIN_S)
    came = event(events.CallStarted(call_id="a"), occurred=0, received=0)
    marking.site.observe(came)
    marking.marker.arrived([came] * 50)
    task = asyncio.create_task(marking.marker.run())
    await clock.advance(1 + GRAIN_S / 2)  # in the middle between two turns
    yield clock, marking
    task.cancel()
    await asyncio.wait([task])


async def test_a_process_that_did_not_get_its_turn_reads_first_what_came_meanwhile(late: tuple[Late, Marking]) -> None:
    clock, marking = late
    clock.late_s = 0.04
    await clock.advance(GRAIN_S)  # from its next turn on, at 1.05, it wakes late: at 1.14 instead of 1.10
    clock.late_s = 0.0
    assert await marking.marks_of(1.14 + READS_S / 2 - 1.075) == [], "it woke, and the pump has not had its turn"
    marks = await marking.marks_of(READS_S)
    assert [mark.time for mark in marks] == [at(1.14 + READS_S - LEAST_S)]


async def test_a_process_that_never_gets_its_turn_in_time_says_less(late: tuple[Late, Marking]) -> None:
    clock, marking = late
    clock.late_s = 0.04
    await clock.advance(GRAIN_S)  # it sleeps as it should for the last time
    before = len(marking.bus.records(topics.FLOOR_EVENTS))
    marks = await marking.marks_of(5)
    assert marks, "late marks are better than none"
    assert marks[-1].time <= at(6.1 - 0.04 - READS_S - LEAST_S)
    for record in marking.bus.records(topics.FLOOR_EVENTS)[before:]:
        mark = decode_event(record.value)
        assert mark.receivedtime is not None
        assert (mark.receivedtime - mark.time).total_seconds() == pytest.approx(
            LEAST_S
        )  # of the time that it speaks of
        assert (record.written - mark.time).total_seconds() == pytest.approx(LEAST_S + READS_S + 0.04)


async def test_events_that_we_read_late_do_not_hold_marks_back(late: tuple[Late, Marking]) -> None:
    """While the process had no turn it wrote no marks either, so no mark was ahead of these events."""
    clock, marking = late
    clock.late_s = 0.06
    await clock.advance(1.15 - 1.025)  # its turn should have been at 1.10, and will be at 1.16
    came = event(events.CallStarted(call_id="b"), occurred=1.07, received=1.07)
    marking.site.observe(came)
    marking.marker.arrived([came])  # after 80 ms, 50 of which are ours
    assert marking.marker.hold_back_s("s") == pytest.approx(0.03 + 0.015)
    await clock.advance(0.011)
    marking.marker.arrived([came])  # after 91 ms; a moment ago it was 60 ms late
    assert marking.marker.hold_back_s("s") == pytest.approx(0.031 + 0.015)


def test_with_many_sites_each_has_its_marks_less_often() -> None:
    assert grain_s(1, 0.02) == grain_s(20, 0.02) == 0.02
    assert grain_s(30, 0.02) == 0.03
    assert grain_s(1000, 0.02) == COARSEST_S
    assert grain_s(1000, 0.2) == 0.2
