from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.ingest.marks import HOLD_BACK_S, SiteClock
from shared import events
from shared.envelope import Data
from shared.events import Event
from tests.ingestkit import T0

LINK = events.LinkUp(connector="c")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def event(data: Data, *, occurred: float, received: float) -> Event:
    return events.make(
        data, id="x", source="/", site="s", time=at(occurred), receivedtime=at(received), rawpartition=0, rawoffset=0
    )


def ready(occurred: float, received: float) -> Event:
    return event(events.AgentReady(agent_id="1"), occurred=occurred, received=received)


@pytest.fixture
def clock() -> SiteClock:
    clock = SiteClock("s")
    clock.observe(event(LINK, occurred=0, received=0))
    return clock


def test_the_fastest_record_tells_the_offset(clock: SiteClock) -> None:
    for received, delay in ((1.0, 0.4), (2.0, 0.05), (3.0, 0.9)):
        clock.observe(ready(received - delay, received))
    assert clock.now(at(10)) == at(10 - 0.05)
    assert clock.skew_s(at(10)) == pytest.approx(0.05)


def test_a_switch_an_hour_behind_is_followed_an_hour_behind(clock: SiteClock) -> None:
    clock.observe(ready(1 - 3600, 1))
    assert clock.now(at(5)) == at(5 - 3600)


def test_a_link_records_time_gives_way_to_the_switchs_own(clock: SiteClock) -> None:
    """The connector may have written its own clock there."""
    clock.observe(ready(0.5 - 120, 1))
    assert clock.now(at(1)) == at(0.5 - 120)


def test_old_records_leave_the_window(clock: SiteClock) -> None:
    clock.observe(ready(1.0, 1.0))
    clock.observe(ready(61.5, 62.0))  # a slower network, or clocks that drift
    assert clock.now(at(62)) == at(61.5)


def test_the_last_record_is_kept_however_old(clock: SiteClock) -> None:
    clock.observe(ready(1.0, 1.0))
    assert clock.now(at(8 * 3600)) == at(8 * 3600)


def test_a_floor_at_ten_times_the_speed(clock: SiteClock) -> None:
    clock.observe(event(events.LinkUp(connector="c", simulated=True, speed=10.0), occurred=0, received=0))
    clock.observe(ready(10, 1.0))
    clock.observe(ready(19, 2.0))  # 0.1 s late, which is 1 s of theirs
    assert clock.now(at(3)) == at(30)
    mark = clock.mark(at(3))
    assert mark is not None
    assert mark.time == at(30 - 10 * HOLD_BACK_S)
    assert isinstance(mark.data, events.Clock)
    assert mark.data.speed == 10


def test_a_mark_says_what_it_is(clock: SiteClock) -> None:
    clock.observe(ready(1, 1.25))
    mark = clock.mark(at(2.25))
    assert mark is not None
    assert mark.time == at(2 - HOLD_BACK_S)
    assert mark.id == f"s:clock:{round(mark.time.timestamp() * 1e6)}"
    assert (mark.rawpartition, mark.rawoffset) == (-1, -1)
    assert mark.data == events.Clock(skew_s=0.25)


def test_no_marks_without_a_link() -> None:
    clock = SiteClock("s")
    clock.observe(ready(1, 1))
    assert clock.mark(at(2)) is None


def test_no_marks_while_the_link_is_down(clock: SiteClock) -> None:
    clock.observe(event(events.LinkDown(connector="c", reason="reset"), occurred=1, received=1))
    assert clock.mark(at(2)) is None
    clock.observe(event(LINK, occurred=3, received=3))
    assert clock.mark(at(4)) is not None


def test_one_of_two_connectors_is_enough(clock: SiteClock) -> None:
    clock.observe(event(events.LinkUp(connector="d"), occurred=1, received=1))
    clock.observe(event(events.LinkDown(connector="c"), occurred=2, received=2))
    assert clock.link_is_up(at(3))


def test_a_beating_connector_that_falls_silent_is_gone(clock: SiteClock) -> None:
    assert clock.is_heartbeat("c", "", LINK)
    clock.heard("c", at(100))
    assert clock.mark(at(114)) is not None
    assert clock.mark(at(116)) is None
    assert clock.is_silent("c", at(116))
    clock.heard("c", at(120))
    assert clock.mark(at(121)) is not None


def test_a_connector_without_a_heartbeat_may_be_silent_for_hours(clock: SiteClock) -> None:
    assert clock.mark(at(7200)) is not None


@pytest.mark.parametrize(
    ("session", "link"),
    [("other", LINK), ("", events.LinkUp(connector="c", switch="restarted")), ("", events.LinkUp(connector="d"))],
)
def test_another_session_or_another_word_is_no_heartbeat(session: str, link: events.LinkUp, clock: SiteClock) -> None:
    assert not clock.is_heartbeat(link.connector, session, link)


RUNNING: dict[str, tuple[list[Data], list[Data]]] = {
    "a call": (
        [events.CallStarted(call_id="a")],
        [events.CallCleared(call_id="a")],
    ),
    "a queued call": ([events.CallQueued(call_id="a", queue="q")], [events.CallCleared(call_id="a")]),
    "a wrap": ([events.WrapStarted(agent_id="1")], [events.WrapEnded(agent_id="1")]),
    "a wrap ended by ready": ([events.WrapStarted(agent_id="1")], [events.AgentReady(agent_id="1")]),
    "a transfer": (
        [events.TransferRequested(transfer_id="t", call_id="a", kind="blind", from_agent="1")],
        [events.TransferBridged(transfer_id="t")],
    ),
}


@pytest.mark.parametrize("case", RUNNING)
def test_marks_are_dense_while_anything_runs(case: str, clock: SiteClock) -> None:
    starts, ends = RUNNING[case]
    for data in starts:
        clock.observe(event(data, occurred=1, received=1))
    assert clock.interval_s(at(3600)) == 0.05
    for data in ends:
        clock.observe(event(data, occurred=3600, received=3600))
    assert clock.interval_s(at(3604)) == 0.05  # something has just happened
    assert clock.interval_s(at(3606)) == 1.0


def test_a_wrap_timer_ends_by_itself(clock: SiteClock) -> None:
    clock.observe(event(events.WrapStarted(agent_id="1", until=at(30)), occurred=1, received=1))
    clock.mark(at(29))
    assert clock.interval_s(at(29)) == 0.05
    clock.mark(at(31))
    assert clock.interval_s(at(31)) == 1.0


def test_a_call_whose_end_was_lost_does_not_run_for_ever(clock: SiteClock) -> None:
    clock.observe(event(events.CallStarted(call_id="a"), occurred=1, received=1))
    clock.mark(at(3 * 3600))
    assert clock.interval_s(at(3 * 3600)) == 0.05
    clock.mark(at(5 * 3600))
    assert clock.interval_s(at(5 * 3600)) == 1.0


def test_nothing_runs_after_the_link_went_down(clock: SiteClock) -> None:
    clock.observe(event(events.CallStarted(call_id="a"), occurred=1, received=1))
    clock.observe(event(events.LinkDown(connector="c"), occurred=2, received=2))
    assert clock.interval_s(at(10)) == 1.0
