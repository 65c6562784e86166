"""A switch's clock that is set, a damaged stamp, a stalled connection and a drift, as ingest sees them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.ingest.jumps import SURE_BACK
from services.ingest.links import link_value
from services.ingest.pipeline import IngestMachine
from shared import events
from shared.events import Event
from shared.raw import Raw
from shared.siteconfig import Sites
from tests.ingestkit import T0, cloud, raw

HOUR = 3600.0


class Switch:
    """A switch and its connector, 20 ms away. `skew`: its clock minus ours; `set` it at will."""

    def __init__(self, skew: float = 0.0, *, speed: float = 1.0) -> None:
        self.machine = IngestMachine(Sites())
        self.skew, self.speed = skew, speed
        self.now, self.count = 0.0, 0
        self.told: list[Event] = []
        self.link()

    def link(self, *, knows_time: bool = False, session: str = "s") -> list[Event]:
        data = events.LinkUp(connector="c1", speed=self.speed, simulated=self.speed != 1)
        time = T0 + timedelta(seconds=self.now * self.speed + self.skew) if knows_time or self.speed != 1 else None
        value = link_value(data, id=f"link-{self.count}", source="/c1", time=time)
        return self._apply(raw(value, kind="link", session=session, offset=self.count, received_s=self.now))

    def say(self, seconds: float, *, off: float = 0.0, late: float = 0.0, connector: str = "c1") -> list[Event]:
        """At `seconds` (ours) something happens, stamped `off` seconds wrong, and arrives `late`."""
        at = seconds * self.speed + self.skew + off
        value = cloud("agent_not_ready", {"agent_id": "1", "reason": str(self.count)}, at_s=at, id=str(self.count))
        self.now = seconds + late + 0.02
        return self._apply(raw(value, offset=self.count, received_s=self.now, connector=connector))

    def talk(self, since: float, until: float, every: float = 0.5) -> list[Event]:
        found, at = [], since
        while at < until:
            found += self.say(at)
            at += every
        return found

    def _apply(self, record: Raw) -> list[Event]:
        self.count += 1
        found = self.machine.apply(record)
        self.told += found
        return found

    def mark(self, seconds: float) -> Event:
        """The mark at `seconds`, ours."""
        mark = self.machine.clocks["s1"].mark(T0 + timedelta(seconds=seconds))
        assert mark is not None
        return mark

    def estimate(self, seconds: float) -> float:
        """What we think the switch's clock shows, in seconds since T0."""
        now = self.machine.clocks["s1"].now(T0 + timedelta(seconds=seconds))
        assert now is not None
        return (now - T0).total_seconds()

    def jumps(self) -> list[float]:
        return [round(one.data.by_s, 1) for one in self.told if isinstance(one.data, events.ClockJumped)]


def second(event: Event) -> float:
    return (event.time - T0).total_seconds()


@pytest.fixture
def switch() -> Switch:
    switch = Switch()
    switch.talk(0, 20)
    return switch


# ---------------------------------------------------------------- one stamp alone


@pytest.mark.parametrize("off", [5.0, HOUR, 20 * HOUR])
def test_one_garbage_stamp_ahead_is_cut_counted_and_nothing_else(off: float, switch: Switch) -> None:
    before = switch.estimate(21)
    (event,) = switch.say(20, off=off)
    assert second(event) == pytest.approx(20.02, abs=0.03)
    assert event.provenance == "inferred"
    assert switch.estimate(21) == before
    (fine,) = switch.say(20.5)
    assert (second(fine), fine.provenance) == (20.5, "observed")
    assert switch.jumps() == []
    assert switch.machine.clocks["s1"].restamped == 1


def test_garbage_stamps_now_and_then_are_no_set_clock(switch: Switch) -> None:
    for at in range(20, 80, 10):
        switch.say(at, off=HOUR)
        switch.talk(at + 0.5, at + 10)
    assert switch.jumps() == []


def test_times_inside_a_garbage_event_are_cut_with_it(switch: Switch) -> None:
    until = (T0 + timedelta(seconds=20 + HOUR + 6)).isoformat()
    value = cloud("wrap_started", {"agent_id": "1", "until": until}, at_s=20 + HOUR)
    (event,) = switch.machine.apply(raw(value, offset=1000, received_s=20.02))
    assert isinstance(event.data, events.WrapStarted)
    assert event.data.until is not None
    assert (event.data.until - event.time).total_seconds() == pytest.approx(6)


def test_a_first_stamp_of_garbage_is_put_right_by_those_that_follow() -> None:
    switch = Switch()
    switch.say(0, off=HOUR)
    switch.talk(0.5, 10)
    assert switch.estimate(10) == pytest.approx(10, abs=0.1)


# ---------------------------------------------------------------- the clock is set


@pytest.mark.parametrize("by", [2.5, 60.0, HOUR, -2.5, -60.0, -HOUR])
@pytest.mark.parametrize("skew", [0.0, HOUR, -HOUR])
def test_a_set_clock_is_told_before_the_first_event_of_the_new_time(by: float, skew: float) -> None:
    switch = Switch(skew)
    switch.talk(0, 20)
    before = len(switch.told)
    switch.skew += by
    switch.talk(20, 30)
    told = switch.told[before:]
    assert switch.jumps() == [pytest.approx(by, abs=0.1)]
    (jump,) = (number for number, one in enumerate(told) if isinstance(one.data, events.ClockJumped))
    assert jump >= 2
    for number, one in enumerate(told[:jump]):  # on the old clock
        assert second(one) == pytest.approx(20 + number * 0.5 + skew, abs=0.05)
        assert one.provenance == "inferred"
    for number, one in enumerate(told[jump + 1 :], jump):  # on the new one
        assert second(one) == pytest.approx(20 + number * 0.5 + skew + by, abs=0.05)
        assert one.provenance == "observed"
    assert told[jump].time == told[jump + 1].time
    assert switch.estimate(31) == pytest.approx(31 + switch.skew, abs=0.1)


def test_the_word_of_a_set_clock_has_a_position_of_its_own(switch: Switch) -> None:
    switch.skew += HOUR
    told = switch.talk(20, 24)
    (jump,) = (one for one in told if isinstance(one.data, events.ClockJumped))
    same = [one for one in told if one.rawoffset == jump.rawoffset]
    assert [one.rawindex for one in same] == [0, 1]
    assert len({one.id for one in switch.told}) == len(switch.told)


def test_marks_after_a_set_clock_name_it(switch: Switch) -> None:
    assert switch.mark(20).data.jump == -1  # type: ignore[attr-defined]
    switch.skew -= HOUR
    told = switch.talk(20, 26)
    (jump,) = (one for one in told if isinstance(one.data, events.ClockJumped))
    mark = switch.mark(26.5)
    assert second(mark) == pytest.approx(26.4 - HOUR, abs=0.05)
    assert mark.data.jump == jump.rawoffset  # type: ignore[attr-defined]


def test_marks_go_on_by_the_old_clock_until_it_is_certain(switch: Switch) -> None:
    switch.skew += HOUR
    switch.say(20)
    assert second(switch.mark(20.5)) == pytest.approx(20.4, abs=0.05)
    switch.skew -= 2 * HOUR
    switch.say(21)
    assert second(switch.mark(21.5)) == pytest.approx(21.4, abs=0.05)


def test_a_clock_that_is_set_twice_is_told_twice(switch: Switch) -> None:
    switch.skew += HOUR
    switch.talk(20, 40)
    switch.skew -= HOUR
    switch.talk(40, 60)
    assert switch.jumps() == [HOUR, -HOUR]


def test_a_quiet_switch_whose_clock_was_set_is_believed_as_soon_as_it_spoke_often_enough(switch: Switch) -> None:
    switch.skew -= HOUR
    told = [one for at in range(60, 60 + 60 * (SURE_BACK[0] + 1), 60) for one in switch.say(at)]
    assert switch.jumps() == [-HOUR]
    assert second(told[0]) == pytest.approx(60, abs=0.05)
    assert second(told[-1]) == pytest.approx(60 + 60 * SURE_BACK[0] - HOUR, abs=0.05)


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_clock_that_was_set_while_the_link_was_down_is_noticed_after_it(by: float, switch: Switch) -> None:
    switch.skew += by
    switch.now = 60
    switch.link(session="t")
    switch.talk(60, 66)
    assert switch.jumps() == [by]


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_connector_that_knows_the_switchs_time_tells_a_set_clock_with_its_link(by: float, switch: Switch) -> None:
    switch.skew += by
    switch.now = 60
    jump, link = switch.link(knows_time=True, session="t")
    assert isinstance(jump.data, events.ClockJumped)
    assert isinstance(link.data, events.LinkUp)
    assert jump.time == link.time


def test_a_simulated_floor_at_high_speed_has_no_set_clock_because_a_machine_is_slow() -> None:
    switch = Switch(speed=60.0)
    switch.talk(0, 20)
    for number in range(40):
        switch.say(20 + number * 0.5, late=(number % 4) * 0.4)  # up to 72 s of theirs
    assert switch.jumps() == []
    assert switch.machine.clocks["s1"].restamped == 0


# ---------------------------------------------------------------- what is no set clock


def test_what_a_stalled_connection_delivers_at_once_keeps_its_times(switch: Switch) -> None:
    before = len(switch.told)
    for number in range(40):
        switch.say(20 + number * 0.5, late=20 - number * 0.5 + number * 0.001)
    switch.talk(40.1, 60)
    assert switch.jumps() == []
    assert [second(one) for one in switch.told[before : before + 40]] == [20 + number * 0.5 for number in range(40)]


def test_a_connection_that_becomes_slow_for_good_is_no_set_clock(switch: Switch) -> None:
    for number in range(200):
        switch.say(20 + number * 0.5, late=4.0 + (number % 7) * 0.3)
    assert switch.jumps() == []
    assert switch.estimate(130) == pytest.approx(126, abs=0.3)


def test_a_second_source_whose_clock_differs_is_no_set_clock(switch: Switch) -> None:
    """Its events go on the site's clock, and the first source's are left alone."""
    for at in range(20, 100, 2):
        (own,) = switch.say(at)
        (other,) = switch.say(at + 1, off=10, connector="c2")
        (behind,) = switch.say(at + 1.5, off=-10, connector="c3")
        assert second(own) == at
        assert second(other) == pytest.approx(at + 1, abs=0.05)
        assert second(behind) == pytest.approx(at + 1.5, abs=0.05)
    assert switch.jumps() == []


def test_a_few_late_events_among_others_are_no_set_clock(switch: Switch) -> None:
    for at in range(20, 60):
        switch.say(at)
        switch.say(at + 0.5, off=-30)
    assert switch.jumps() == []


# ---------------------------------------------------------------- skew and drift


@pytest.mark.parametrize("skew", [0.0, HOUR, -HOUR, 7.5])
def test_skew_is_measured_and_marks_are_by_the_switchs_clock(skew: float) -> None:
    switch = Switch(skew)
    switch.talk(0, 30)
    mark = switch.mark(30)
    assert second(mark) == pytest.approx(30 + skew - 0.1, abs=0.05)
    assert mark.data.skew_s == pytest.approx(-skew, abs=0.05)  # type: ignore[attr-defined]


@pytest.mark.parametrize("drift", [1 / 60, -1 / 60, 1 / 600, -1 / 600])
def test_a_clock_that_drifts_is_followed(drift: float) -> None:
    """A second a minute: marks are never ahead of the switch's clock by what they hold back, and no set clock is seen."""
    switch = Switch()
    for number in range(1200):
        at = number * 0.5
        switch.skew = drift * at
        switch.say(at, late=0.03 * (number % 3))
        if number > 60:  # so long it takes to tell a drift from delays
            assert switch.estimate(at + 0.4) == pytest.approx(at + 0.4 + drift * (at + 0.4), abs=0.1)
    assert switch.jumps() == []
    assert switch.machine.clocks["s1"].restamped == 0


# ---------------------------------------------------------------- restarts


@pytest.mark.parametrize("by", [HOUR, -HOUR])
@pytest.mark.parametrize("cut", range(0, 14, 2))
def test_a_restart_in_the_middle_of_it_changes_nothing(by: float, cut: int) -> None:
    whole, parts = Switch(), Switch()
    for switch in (whole, parts):
        switch.talk(0, 20)
        switch.skew += by
    for number in range(14):
        if number == cut:
            dumped = parts.machine.dump()
            parts.machine = IngestMachine(Sites())
            parts.machine.load(dumped)
        assert parts.say(20 + number * 0.5) == whole.say(20 + number * 0.5)
        assert parts.machine.dump() == whole.machine.dump()
