from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.marks import SiteClock
from shared import events
from tests.unit.test_marks import at, event, ready

OFFSETS = st.floats(-7200, 7200)
SPEEDS = st.sampled_from((1.0, 0.5, 4.0, 60.0))
# gap to the previous record and delay on the way, seconds of ours
JOURNEYS = st.lists(st.tuples(st.floats(0, 30), st.floats(0, 3)), min_size=1, max_size=40)


def link(speed: float, offset: float) -> events.Event:
    return event(events.LinkUp(connector="c", speed=speed), occurred=offset, received=0)


def arrivals(journeys: list[tuple[float, float]], speed: float, offset: float) -> list[tuple[float, float]]:
    """(occurred by the switch's clock, received by ours), in order of arrival on an ordered connection."""
    found, sent, received = [], 0.0, 0.0
    for gap, delay in journeys:
        sent += gap
        received = max(received, sent + delay)
        found.append((offset + speed * sent, received))
    return found


@given(JOURNEYS, SPEEDS, OFFSETS)
def test_the_estimate_is_never_ahead_of_the_switch(
    journeys: list[tuple[float, float]], speed: float, offset: float
) -> None:
    clock = SiteClock("s")
    clock.observe(link(speed, offset))
    for occurred, received in arrivals(journeys, speed, offset):
        clock.observe(ready(occurred, received))
        for later in (0.0, 1.0, 100.0):
            estimate = clock.now(at(received + later))
            assert estimate is not None
            true = at(offset + speed * (received + later))
            assert estimate <= true + timedelta(microseconds=200)  # rounding of stamps, times speed


@given(JOURNEYS, SPEEDS, OFFSETS)
def test_the_estimate_is_no_later_than_the_fastest_record_allows(
    journeys: list[tuple[float, float]], speed: float, offset: float
) -> None:
    clock = SiteClock("s", window_s=1e6)
    clock.observe(link(speed, offset))
    seen = arrivals(journeys, speed, offset)
    for occurred, received in seen:
        clock.observe(ready(occurred, received))
    wall = seen[-1][1] + 5
    best = max(occurred + speed * (wall - received) for occurred, received in seen)
    estimate = clock.now(at(wall))
    assert estimate is not None
    assert abs((estimate - at(best)).total_seconds()) < 0.001


@given(JOURNEYS, SPEEDS, OFFSETS, st.lists(st.floats(-2, 5), max_size=40))
def test_marks_only_go_forward_whatever_our_clock_does(
    journeys: list[tuple[float, float]], speed: float, offset: float, steps: list[float]
) -> None:
    clock = SiteClock("s")
    clock.observe(link(speed, offset))
    wall, last = 0.0, None
    for index, (occurred, received) in enumerate(arrivals(journeys, speed, offset)):
        clock.observe(ready(occurred, received))
        wall = max(wall, received) + (steps[index] if index < len(steps) else 0.0)
        mark = clock.mark(at(wall))
        if mark is not None:
            assert last is None or mark.time > last
            last = mark.time


@given(JOURNEYS, SPEEDS, OFFSETS, st.integers(0, 40))
def test_a_restart_changes_nothing(
    journeys: list[tuple[float, float]], speed: float, offset: float, restart_at: int
) -> None:
    whole, parts = SiteClock("s"), SiteClock("s")
    for clock in (whole, parts):
        clock.observe(link(speed, offset))
    for index, (occurred, received) in enumerate(arrivals(journeys, speed, offset)):
        if index == restart_at:
            dumped, parts = parts.dump(), SiteClock("s")
            parts.load(dumped)
        for clock in (whole, parts):
            clock.observe(ready(occurred, received))
        assert whole.mark(at(received + 1)) == parts.mark(at(received + 1))
