"""The engine when the switch's clock is set: what moves, what stays, and which marks count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.monitor.core.engine import Engine
from services.monitor.core.trust.clockjump import MARKS_ON_THEIR_WAY
from shared import events, facts
from shared.envelope import Data
from shared.events import Event
from shared.siteconfig import SiteConfig, Sites
from tests.floorkit import RULES, SITE

EVENING = datetime(2026, 11, 22, 23, 50, tzinfo=UTC)
MINUTE, HOUR = 60.0, 3600.0


class Floor:
    """An engine of a site in UTC; times are seconds since ten to midnight by the clock as it was at first."""

    def __init__(self) -> None:
        self.engine = Engine(Sites({SITE: SiteConfig()}), RULES)
        self.facts: list[facts.Fact] = []
        self.away, self.offset, self.jump = 0.0, 0, -1
        self.say(0, events.LinkUp(connector="c"))

    def say(self, second: float, data: Data) -> None:
        self.facts += self.engine.apply(self.event(second, data, self.offset))
        self.offset += 1

    def set(self, second: float, by: float) -> None:
        self.away, self.jump = self.away + by, self.offset
        self.say(second, events.ClockJumped(by_s=by))

    def mark(self, second: float, *, jump: int | None = None, away: float | None = None) -> None:
        data = events.Clock(jump=self.jump if jump is None else jump)
        self.facts += self.engine.apply(self.event(second, data, -1, away))

    def event(self, second: float, data: Data, offset: int, away: float | None = None) -> Event:
        return events.make(
            data,
            id=str(offset),
            source="/",
            site=SITE,
            time=EVENING + timedelta(seconds=second + (self.away if away is None else away)),
            receivedtime=EVENING + timedelta(seconds=second + 0.5),
            rawpartition=0 if offset >= 0 else -1,
            rawoffset=offset,
        )

    def now(self) -> float:
        (site,) = self.engine.floor_view().sites
        assert site.now is not None
        return (site.now - EVENING).total_seconds()

    def raised(self) -> list[facts.FlagRaised]:
        return [fact.data for fact in self.facts if isinstance(fact.data, facts.FlagRaised)]


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.say(1, events.AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor.say(10, events.CallQueued(call_id="a", queue="sales"))
    floor.mark(30)
    return floor


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_wait_of_twenty_seconds_is_one_of_twenty_seconds_after_it(by: float, floor: Floor) -> None:
    floor.set(30, by)
    (queue,) = floor.engine.floor_view().queues
    assert queue.longest_since == EVENING + timedelta(seconds=10 + by)
    floor.mark(39.9)
    assert not floor.raised()
    floor.mark(40.1)
    (flag,) = floor.raised()
    assert flag.raised_at == EVENING + timedelta(seconds=40 + by)


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_raised_flag_keeps_its_id_and_ends_with_what_it_lasted(by: float, floor: Floor) -> None:
    floor.mark(60)
    (flag,) = floor.raised()
    floor.set(70, by)
    assert [view.flag_id for view in floor.engine.floor_view().flags] == [flag.flag_id]
    floor.say(100, events.CallDequeued(call_id="a", queue="sales", reason="abandoned"))
    cleared = [fact.data for fact in floor.facts if isinstance(fact.data, facts.FlagCleared)]
    assert [(one.flag_id, one.duration_s) for one in cleared] == [(flag.flag_id, 90.0)]
    assert len(floor.raised()) == 1


def test_it_is_counted_with_its_evidence(floor: Floor) -> None:
    floor.set(30, 90.25)
    (site,) = floor.engine.floor_view().sites
    assert (site.clock_jumps, floor.engine.anomalies(SITE)) == (1, {"clock_jump": 1})
    (found,) = floor.engine.anomaly_log(SITE)
    assert "+90.250 s" in found.before


def test_over_midnight_and_back_the_day_is_the_one_that_the_clock_shows(floor: Floor) -> None:
    """What was counted is published with the day it was counted in, and the day begins anew."""
    assert floor.engine.floor_view().queues[0].day == "2026-11-22"
    floor.set(30, HOUR)
    floor.say(35, events.CallQueued(call_id="b", queue="sales"))
    (queue,) = floor.engine.floor_view().queues
    assert (queue.day, queue.offered, queue.waiting) == ("2026-11-23", 1, 2)
    floor.set(40, -HOUR)
    floor.say(45, events.CallQueued(call_id="c", queue="sales"))
    (queue,) = floor.engine.floor_view().queues
    assert (queue.day, queue.waiting) == ("2026-11-22", 3)
    assert queue.since is not None
    assert queue.since <= EVENING + timedelta(seconds=45)


def test_the_running_interval_ends_by_the_old_clock_and_the_next_begins_by_the_new(floor: Floor) -> None:
    floor.set(30, -HOUR)
    (closed,) = (fact.data for fact in floor.facts if isinstance(fact.data, facts.QueueInterval))
    assert closed.ended_at == EVENING + timedelta(seconds=30)
    assert closed.offered == 1
    floor.mark(30 + 15 * MINUTE)
    last = [fact.data for fact in floor.facts if isinstance(fact.data, facts.QueueInterval)][-1]
    assert last.counted_from == EVENING + timedelta(seconds=30 - HOUR)
    assert last.ended_at == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
    assert last.ready_s == pytest.approx((last.ended_at - last.counted_from).total_seconds())


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_mark_that_overtakes_the_word_of_the_jump_moves_nothing(by: float, floor: Floor) -> None:
    floor.mark(30.2, jump=floor.offset, away=by)
    assert floor.now() == 30
    floor.set(30, by)
    floor.mark(30.4)
    assert floor.now() == pytest.approx(30.4 + by)
    assert not floor.raised()


def test_a_mark_of_the_old_clock_that_comes_after_the_jump_moves_nothing(floor: Floor) -> None:
    floor.set(30, -HOUR)
    floor.mark(30.5, jump=-1, away=0.0)
    assert floor.now() == 30 - HOUR
    assert not floor.raised()


def test_ingest_that_has_forgotten_the_jump_is_believed_after_a_while(floor: Floor) -> None:
    floor.set(30, -HOUR)
    later = 31 + MARKS_ON_THEIR_WAY.total_seconds()
    floor.mark(later, jump=-1)
    assert floor.now() == later - HOUR
