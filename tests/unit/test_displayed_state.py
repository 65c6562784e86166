"""The table of displayed states, and every way an agent gets from one to the next."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.monitor.core.state import Leg
from services.monitor.core.transitions import IDLE, displayed, line_of
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    AgentNotReady,
    AgentReady,
    CallCleared,
    Clock,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegRetrieved,
    LegStarted,
    LinkDown,
    LinkUp,
    WrapEnded,
    WrapStarted,
)
from shared.facts import AgentInterval
from tests.floorkit import SITE, Bench, at, event

LINES = ("alerting", "held", "talking", "consulting")


def test_every_combination_has_one_state() -> None:
    for declared, in_wrap in itertools.product(("off", "ready", "not_ready", "unknown"), (False, True)):
        assert displayed(declared, "idle", in_wrap=in_wrap) == IDLE[declared, in_wrap]
        for line in LINES:
            assert displayed(declared, line, in_wrap=in_wrap) in {"ringing", "hold", "talk", "consult"}


def leg(state: str, role: str = "agent") -> Leg:
    return Leg("l", "c", "a", role, state, at(0), at(0))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("legs", "line"),
    [
        ([], "idle"),
        ([leg("ringing")], "alerting"),
        ([leg("dialing")], "alerting"),
        ([leg("held")], "held"),
        ([leg("held"), leg("ringing")], "held"),
        ([leg("held"), leg("talking")], "talking"),
        ([leg("held"), leg("dialing", "consult")], "consulting"),
        ([leg("held"), leg("talking", "consult")], "consulting"),
        ([leg("talking"), leg("held", "consult")], "talking"),
        ([leg("talking", "internal")], "talking"),
    ],
)
def test_which_leg_wins(legs: list[Leg], line: str) -> None:
    assert line_of(legs)[0] == line


def test_a_day_of_one_agent() -> None:
    floor = Bench()
    floor(0, LinkUp(connector="test"))
    floor(10, AgentLoggedOn(agent_id="1001", queues=("sales",)))
    assert floor.agent("1001") == "ready"
    steps = [
        (20, LegStarted(call_id="c", leg_id="l", agent_id="1001", queue="sales"), "ringing"),
        (23, LegAnswered(call_id="c", leg_id="l"), "talk"),
        (40, LegHeld(call_id="c", leg_id="l"), "hold"),
        (41, LegStarted(call_id="d", leg_id="m", agent_id="1001", role="consult", state="dialing"), "consult"),
        (45, LegAnswered(call_id="d", leg_id="m"), "consult"),
        (50, LegCleared(call_id="d", leg_id="m"), "hold"),
        (51, LegRetrieved(call_id="c", leg_id="l"), "talk"),
        (60, LegCleared(call_id="c", leg_id="l"), "ready"),
        (60, WrapStarted(agent_id="1001", call_id="c", queue="sales", until=at(66)), "wrap"),
        (62, AgentNotReady(agent_id="1001", reason="lunch"), "break"),
        (64, AgentReady(agent_id="1001"), "wrap"),
    ]
    for second, data, state in steps:
        floor(second, data)
        assert floor.agent("1001") == state, (second, data)
    floor.mark(66.05)
    assert floor.agent("1001") == "ready"
    floor(70, AgentLoggedOff(agent_id="1001"))
    assert floor.agent("1001") == "offline"
    shown = [(i.state, i.started_at, i.ended_at) for i in floor.made(AgentInterval)]
    assert shown[0] == ("offline", at(0), at(10)), "who logs on was off for as long as we heard the site"
    assert ("wrap", at(64), at(66)) in shown, "a timer ends at its own time, not at the mark that passed it"


def test_wrap_without_until_ends_when_the_switch_says_so_or_the_agent_is_ready() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), WrapStarted(agent_id="1"))
    floor.mark(7_000)
    assert floor.agent("1") == "wrap"
    floor(10_001, WrapEnded(agent_id="1"))
    assert floor.agent("1") == "ready"
    floor(10_002, WrapStarted(agent_id="1"), AgentReady(agent_id="1"))
    assert floor.agent("1") == "ready"


def test_a_short_ring_does_not_end_wrap() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), WrapStarted(agent_id="1", until=at(10)))
    floor(2, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    assert floor.agent("1") == "ringing"
    floor(4, LegCleared(call_id="c", leg_id="l", cause="answered_elsewhere"))
    assert floor.agent("1") == "wrap"


def test_the_end_of_a_call_ends_its_legs() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), LegStarted(call_id="c", leg_id="l", agent_id="1", state="talking"))
    floor(5, CallCleared(call_id="c"))
    assert floor.agent("1") == "ready"
    assert floor.engine.view("call", SITE, "c") is None


def test_an_agent_known_only_from_a_call_is_unknown_afterwards() -> None:
    floor = Bench()
    floor(0, LegStarted(call_id="c", leg_id="l", agent_id="9", state="talking"))
    assert floor.agent("9") == "talk"
    floor(5, LegCleared(call_id="c", leg_id="l"))
    assert floor.agent("9") == "unknown"


def test_a_late_event_is_adopted_from_where_the_state_began_and_counted() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"))
    floor(10, AgentNotReady(agent_id="1", reason="tea"))
    floor(8, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    assert floor.agent("1") == "ringing"
    assert floor.engine.anomalies(SITE) == {"late_event": 1}
    floor(20, LegCleared(call_id="c", leg_id="l"))
    assert [(i.state, i.started_at) for i in floor.made(AgentInterval)] == [("ready", at(0)), ("ringing", at(10))]


def test_an_older_word_does_not_win_over_a_newer_one_that_came_first() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"))
    floor(10, AgentNotReady(agent_id="1", reason="tea"))
    floor(8, AgentReady(agent_id="1"))
    assert floor.agent("1") == "break"
    assert floor.engine.anomalies(SITE) == {"late_declaration": 1}


@pytest.mark.parametrize("skew", [-100.0, 0.0, 3600.0])
def test_a_connector_that_stamps_with_our_clock_does_not_move_the_switchs(skew: float) -> None:
    engine = Bench().engine
    ours = at(0) + timedelta(seconds=skew)
    engine.apply(replace(event(skew, LinkUp(connector="ami"), 0), receivedtime=ours))
    heard = replace(event(3, AgentLoggedOn(agent_id="1"), 1), receivedtime=ours + timedelta(seconds=3))
    (interval,) = engine.apply(heard)
    assert interval.data == AgentInterval(
        agent_id="1", state="offline", started_at=at(0), ended_at=at(3), duration_s=3.0, provenance="inferred"
    )
    assert engine.floor_view().sites[0].link_since == at(0)
    engine.apply(event(5, Clock(skew_s=skew)))
    engine.apply(replace(event(10 + skew, LinkDown(connector="ami"), 2), receivedtime=ours + timedelta(seconds=10)))
    assert engine.floor_view().sites[0].link_since == at(10)
