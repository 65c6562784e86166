"""A state that changes every few seconds for minutes is damped on the board and flagged; records stay exact."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.core.engine import Engine
from services.monitor.core.views import AgentView, QueueView
from shared import facts
from shared.envelope import Data
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    AgentNotReady,
    AgentReady,
    AgentSeen,
    Event,
    LegAnswered,
    LegCleared,
    LegStarted,
    LinkDown,
    LinkUp,
    ListenStarted,
    WrapStarted,
)
from tests.floorkit import CONFIG, RULES, SITE, Bench, at, event


def card(floor: Bench) -> AgentView:
    view = floor.engine.view("agent", SITE, "1")
    assert isinstance(view, AgentView)
    return view


def toggles(floor: Bench, start: int, end: int, every: int = 3) -> int:
    """Ready and break in turn; returns when it ended."""
    second = start
    for turn, second in enumerate(range(start, end, every)):
        floor(second, AgentReady(agent_id="1") if turn % 2 else AgentNotReady(agent_id="1"))
    return second


def flapping() -> Bench:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    toggles(floor, 60, 180)
    return floor


def test_a_dozen_short_states_over_a_minute_are_flapping() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"))
    toggles(floor, 60, 120)
    assert card(floor).flapping_since is None
    floor(120, AgentNotReady(agent_id="1"))
    assert card(floor).flapping_since == at(60), "since the first of the short states"
    assert floor.engine.anomalies(SITE) == {"flapping": 1}


def test_a_flapping_agent_shows_the_state_it_was_mostly_in() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"))
    for second in range(60, 200, 8):
        floor(second, AgentNotReady(agent_id="1", reason="tea"))
        floor(second + 2, AgentReady(agent_id="1"))
    shown = card(floor)
    assert (shown.state, shown.provenance, shown.since, shown.call) == ("ready", "inferred", shown.flapping_since, None)
    assert shown.reason == ""


def test_what_it_is_mostly_in_is_of_lately() -> None:
    floor = flapping()
    for second in range(180, 480, 8):
        floor(second, AgentNotReady(agent_id="1"))
        floor(second + 6, AgentReady(agent_id="1"))
    assert card(floor).state == "break"
    for second in range(480, 780, 8):
        floor(second, AgentReady(agent_id="1"))
        floor(second + 6, AgentNotReady(agent_id="1"))
    assert card(floor).state == "ready"


def test_boards_hear_of_it_at_most_every_ten_seconds() -> None:
    floor = flapping()
    floor.engine.changes()
    told = 0
    for second in range(180, 480, 3):
        floor(second, AgentReady(agent_id="1") if second % 2 else AgentNotReady(agent_id="1"), AgentSeen(agent_id="1"))
        told += ("agent", SITE, "1") in floor.engine.changes()
    assert 20 <= told <= 30


def test_records_and_staff_know_nothing_of_it() -> None:
    floor = flapping()
    intervals = floor.made(facts.AgentInterval)
    assert len(intervals) == 40
    assert {one.duration_s for one in intervals[1:]} == {3.0}
    queue = floor.engine.view("queue", SITE, "sales")
    assert isinstance(queue, QueueView)
    assert (queue.agents, floor.engine._floors[SITE].state.agents["1"].state) == ({"ready": 1}, "ready")


def test_it_is_over_when_a_state_lasts() -> None:
    floor = flapping()
    floor.mark(177 + 29)
    assert card(floor).flapping_since is not None
    floor.engine.changes()
    floor.mark(240)
    shown = card(floor)
    assert (shown.state, shown.since, shown.flapping_since) == ("ready", at(177), None)
    assert ("agent", SITE, "1") in floor.engine.changes()


@pytest.mark.parametrize("start", range(180, 210, 3))
def test_a_conversation_ends_it(start: int) -> None:
    floor = flapping()
    toggles(floor, 180, start)
    floor(start, LegStarted(call_id="c", leg_id="l", agent_id="1"), LegAnswered(call_id="c", leg_id="l"))
    floor(start + 12, LegCleared(call_id="c", leg_id="l"), AgentReady(agent_id="1"))
    assert card(floor).flapping_since is None
    assert floor.agent("1") == "ready"


def test_it_goes_on_through_a_pause_that_is_no_rest() -> None:
    floor = flapping()
    toggles(floor, 195, 240)
    assert card(floor).flapping_since == at(60)
    assert floor.engine.anomalies(SITE) == {"flapping": 1}


@pytest.mark.parametrize("talk", [6, 15])
def test_a_busy_agent_with_short_calls_does_not_flap(talk: int) -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"))
    second = 60
    for number in range(60):
        call_id, leg_id = f"c{number}", f"l{number}"
        floor(second, LegStarted(agent_id="1", call_id=call_id, leg_id=leg_id))
        floor(second + 2, LegAnswered(call_id=call_id, leg_id=leg_id))
        over = second + 2 + talk
        floor(over, LegCleared(call_id=call_id, leg_id=leg_id), WrapStarted(agent_id="1", until=at(over + 3)))
        second += talk + 7
        floor.mark(second - 1)
    assert (card(floor).flapping_since, floor.engine.anomalies(SITE)) == (None, {})


def test_calls_that_ring_out_one_after_the_other_do_not_flap() -> None:
    """15 s of ringing, a second of rest: a rule about missed calls looks after that."""
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"))
    for number in range(60):
        floor(60 + 16 * number, LegStarted(call_id=f"c{number}", leg_id=f"l{number}", agent_id="1"))
        floor(75 + 16 * number, LegCleared(call_id=f"c{number}", leg_id=f"l{number}", cause="no_answer"))
    assert card(floor).flapping_since is None


def test_logging_off_ends_it_after_a_while() -> None:
    floor = flapping()
    floor(180, AgentLoggedOff(agent_id="1"))
    floor.mark(300)
    assert (card(floor).state, card(floor).flapping_since) == ("offline", None)


def test_after_a_lost_link_nobody_flaps() -> None:
    floor = flapping()
    floor(181, LinkDown(connector="x"))
    assert card(floor).provenance == "stale"
    floor(182, LinkUp(connector="x"))
    assert (card(floor).state, card(floor).flapping_since) == ("unknown", None)


_changes = st.sampled_from(
    [
        AgentReady(agent_id="1"),
        AgentNotReady(agent_id="1", reason="tea"),
        AgentSeen(agent_id="1"),
        LegStarted(call_id="c", leg_id="l", agent_id="1"),
        LegCleared(call_id="c", leg_id="l"),
        ListenStarted(listen_id="s", agent_id="1"),
        LinkDown(connector="x"),
        LinkUp(connector="x"),
    ]
)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 9, 31]), _changes), max_size=80), st.data())
def test_while_it_flaps_too_boards_and_checkpoints_are_right(
    changes: list[tuple[int, Data]], data: st.DataObject
) -> None:
    """Time is a partition, a folded feed equals a fresh snapshot, a restored run goes on as the uninterrupted one."""
    floor = flapping()
    folded = {}
    second, stream = 180, list[Event]()
    for step, one in changes:
        second += step
        stream.append(event(second, one, 1000 + len(stream)))
    cut = data.draw(st.integers(0, len(stream)))
    other = Engine(CONFIG, RULES)
    for number, one_event in enumerate(stream):
        if number == cut:
            other.load(floor.engine.dump())
        floor.facts += floor.engine.apply(one_event)
        if number >= cut:
            other.apply(one_event)
        if number % 3 == 0 or number + 1 == len(stream):
            for kind, _, key in floor.engine.changes():
                folded[kind, key] = floor.engine.view(kind, SITE, key)
    if stream:
        assert folded["agent", "1"] == floor.engine.floor_view().agents[0]
        if cut < len(stream):
            assert other.dump() == floor.engine.dump()
    intervals = floor.made(facts.AgentInterval)
    assert all(before.ended_at == after.started_at for before, after in itertools.pairwise(intervals))
