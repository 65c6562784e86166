"""Our own clock is set, by a second or by a day, as a time server does or a machine that was suspended: the switch's is not.

A machine, its connectors and ingest share a clock here. Whatever it does, no mark is ahead of the switch, nothing that
runs is moved, and marks are right again soon.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Final

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.ingest.links import link_value
from services.ingest.ourclock import LEAST_S, OurClock
from services.ingest.pipeline import IngestMachine
from services.monitor.core.engine import Engine
from shared import events, facts
from shared.clock import FakeClock
from shared.events import Event
from shared.siteconfig import QueueConfig, SiteConfig, Sites
from tests.floorkit import RULES
from tests.ingestkit import T0, cloud, raw

SITE: Final = "s1"
CONFIG: Final = Sites({SITE: SiteConfig(queues={"sales": QueueConfig(wrap_up_s=6)})})
BEAT_S: Final = 5.0
RIGHT_AGAIN_S: Final = 12.0
STEPS: Final = [0.5, 1.0, 3.0, 5.0, 14.0, 61.0, 3600.0, 86_400.0, -0.5, -1.0, -3.0, -5.0, -61.0, -3600.0, -86_400.0]


class Floor:
    """A switch whose clock is right, a connector 20 ms away, ingest and an engine; seconds are the switch's since T0."""

    def __init__(self, *, speed: float = 1.0) -> None:
        self.machine, self.engine = IngestMachine(CONFIG), Engine(CONFIG, RULES)
        self.clock = FakeClock(T0)
        self.ours = OurClock(self.clock)
        self.speed = speed
        self.switch_ahead_s = 0.0  # of what it showed at first
        self.count = 0
        self.now = 0.0
        self.facts: list[facts.Fact] = []
        self.jumps = 0
        self.marked: list[tuple[float, float]] = []  # the switch's time, and what the mark says of it
        self.beat()

    def pass_to(self, second: float, *, every: float = 0.25) -> None:
        """Time passes, with beats and marks."""
        while self.now + every <= second:
            self._move(every)
            if self.now % BEAT_S < every:
                self.beat()
            self.mark()
        self._move(second - self.now)

    def _move(self, seconds: float) -> None:
        self.now += seconds
        self.clock.pause(seconds)

    def set_ours(self, by_s: float) -> None:
        self.clock.set_by(by_s)

    def suspend(self, seconds: float) -> None:
        """The switch goes on; of our clocks only the one on the wall knows, afterwards."""
        self.now += seconds
        self.clock.set_by(seconds)

    def say(self, kind: str, /, *, by: str = "c1", **data: object) -> None:
        at_s = self.now * self.speed + self.switch_ahead_s
        self._take(raw(cloud(kind, data, at_s=at_s, id=str(self.count)), connector=by, offset=self.count), 0.02)

    def beat(self) -> None:
        value = link_value(events.LinkUp(connector="c1"), id=f"link-{self.count}", source="/c1", time=None)
        self._take(raw(value, kind="link", session="s", offset=self.count), 0.0)

    def _take(self, record: object, late_s: float) -> None:
        self.count += 1
        received = self.clock.now() + timedelta(seconds=late_s)
        for event in self.machine.apply(msgspec.structs.replace(record, received=received)):  # type: ignore[type-var]
            self.jumps += isinstance(event.data, events.ClockJumped)
            self._apply(event)

    def mark(self) -> None:
        site_clock = self.machine.clocks[SITE]
        self.ours.look(self.machine.clocks)
        mark = site_clock.mark(self.ours.wall(SITE, site_clock, self.clock.now()))
        if mark is not None:
            self.marked.append((self.now, (mark.time - T0).total_seconds()))
            self._apply(mark)

    def _apply(self, event: Event) -> None:
        self.facts += self.engine.apply(event)

    def slow(self) -> list[facts.FlagRaised]:
        return [
            one.data
            for one in self.facts
            if isinstance(one.data, facts.FlagRaised) and one.data.rule == "slow_transfer"
        ]


def busy(floor: Floor, until_s: float, *, every_s: float = 1.0) -> None:
    while floor.now < until_s:
        floor.say("agent_not_ready", agent_id="1", reason=str(floor.count))
        floor.pass_to(min(until_s, floor.now + every_s))


@pytest.mark.parametrize("step", STEPS)
def test_a_set_clock_of_ours_is_none_of_the_switch(step: float) -> None:
    """A step back was taken for the switch going ahead: all that ran was moved by as much, into a future without flags."""
    floor = Floor()
    busy(floor, 60)
    floor.set_ours(step)
    busy(floor, 60.5, every_s=0.25)
    busy(floor, 200)
    assert floor.jumps == 0
    assert max(said - true for true, said in floor.marked) <= 0.1, "no mark is ahead of the switch"
    after = [(true, said) for true, said in floor.marked if true > 60 + RIGHT_AGAIN_S]
    late = max(true - said for true, said in after)
    assert late < 1.5 + (abs(step) if abs(step) < 2 else 0), "and soon they are as near as before"


@pytest.mark.parametrize("step", STEPS)
def test_a_slow_transfer_over_it_is_flagged_once_at_seven_seconds_and_an_honest_one_is_not(step: float) -> None:
    floor = Floor()
    busy(floor, 60)
    floor.say("call_started", call_id="a")
    floor.say("call_started", call_id="b")
    floor.say("transfer_requested", transfer_id="slow", call_id="a", kind="blind", from_agent="7")
    floor.pass_to(62)
    floor.say("transfer_requested", transfer_id="quick", call_id="b", kind="blind", from_agent="8")
    floor.pass_to(63)
    floor.set_ours(step)
    busy(floor, 66.5, every_s=0.5)
    assert not floor.slow(), "none is early"
    floor.say("transfer_bridged", transfer_id="quick", to_agent="9")
    busy(floor, 80, every_s=0.5)
    floor.say("transfer_bridged", transfer_id="slow", to_agent="9")
    busy(floor, 90)
    (flag,) = floor.slow()
    assert (flag.subject_id, flag.raised_at - flag.started_at) == ("slow", timedelta(seconds=7))
    ended = {one.data.transfer_id: one.data for one in floor.facts if isinstance(one.data, facts.TransferEnded)}
    assert ended["quick"].total_s == pytest.approx(
        4.5, abs=2.1
    )  # what is told in the moments of doubt is told as of then
    assert ended["slow"].total_s == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("ahead", [300.0, -300.0])
def test_a_switch_that_is_set_after_our_clock_was_set_back_is_believed_soon(ahead: float) -> None:
    """What a second source told before, received in what is the future now, spoke against it for an hour."""
    floor = Floor()
    busy(floor, 30)
    for _ in range(10):
        floor.say("agent_not_ready", by="c2", agent_id="2", reason=str(floor.count))
        busy(floor, floor.now + 3)
    floor.set_ours(-3600.0)
    busy(floor, floor.now + 70)  # the second source is gone
    assert floor.jumps == 0
    floor.switch_ahead_s = ahead
    busy(floor, floor.now + 20)
    assert floor.jumps == 1


@pytest.mark.parametrize("seconds", [30.0, 600.0, 7200.0])
def test_after_a_suspended_machine_the_marks_are_of_the_present_with_the_first_word(seconds: float) -> None:
    floor = Floor()
    busy(floor, 60)
    floor.suspend(seconds)
    floor.mark()
    assert floor.marked[-1][1] <= 60, "nobody knows yet"
    floor.say("agent_ready", agent_id="1")
    floor.mark()
    true, said = floor.marked[-1]
    assert 0 <= true - said < 0.5
    assert floor.jumps == 0


@settings(max_examples=40)
@given(
    steps=st.lists(
        st.tuples(st.floats(3, 40), st.floats(-7200, 7200).filter(lambda by: abs(by) > 2.5)), min_size=1, max_size=4
    )
)
@example(steps=[(10.0, -3600.0), (10.0, 3600.0)])
def test_however_often_it_is_set_no_mark_is_ahead_and_no_duration_negative(steps: list[tuple[float, float]]) -> None:
    floor = Floor()
    floor.say("agent_logged_on", agent_id="1", queues=["sales"])
    busy(floor, 30, every_s=0.5)
    for after_s, by_s in steps:
        busy(floor, floor.now + after_s, every_s=0.5)
        floor.set_ours(by_s)
    busy(floor, floor.now + 30, every_s=0.5)
    assert floor.jumps == 0
    assert max(said - true for true, said in floor.marked) <= 0.1
    intervals = [one.data for one in floor.facts if isinstance(one.data, facts.AgentInterval)]
    assert all(one.duration_s >= 0 for one in intervals)
    for one, following in pairwise(intervals):
        assert one.ended_at == following.started_at, "an agent's time is a partition"


def test_a_clock_that_a_time_server_lets_run_a_little_faster_is_not_set() -> None:
    clock = FakeClock(T0)
    ours = OurClock(clock)
    machine = IngestMachine(CONFIG)
    machine.apply(raw(cloud("agent_ready", {"agent_id": "1"})))
    for _ in range(100):
        clock.pause(0.05)
        clock.set_by(LEAST_S / 10)
        ours.look(machine.clocks)
        assert ours.wall(SITE, machine.clocks[SITE], clock.now()) == clock.now()
