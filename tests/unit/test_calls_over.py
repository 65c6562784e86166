"""What comes about a call that is over changes nothing; an id used again is another call."""

from __future__ import annotations

import pytest

from services.monitor.core.trust import over
from shared.envelope import Data
from shared.events import (
    AgentLoggedOn,
    CallCleared,
    CallQueued,
    CallStarted,
    LegMoved,
    LegStarted,
    LinkDown,
    LinkUp,
    TransferRequested,
)
from shared.facts import FlagRaised, TransferEnded
from tests.floorkit import SITE, Bench

LATE: list[Data] = [
    TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2"),
    CallQueued(call_id="c", queue="sales"),
    LegStarted(call_id="c", leg_id="l", agent_id="1"),
    LegMoved(call_id="c", leg_id="k"),
]


def ended() -> Bench:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), CallStarted(call_id="c"), LegStarted(call_id="d", leg_id="k", agent_id="1"))
    floor(10, CallCleared(call_id="c"))
    return floor


@pytest.mark.parametrize("late", LATE)
def test_an_event_about_a_call_that_is_over_is_an_anomaly_and_does_not_bring_it_back(late: Data) -> None:
    floor = ended()
    floor(11, late)
    assert floor.engine.anomalies(SITE) == {"call_is_over": 1}
    (evidence,) = floor.engine.anomaly_log(SITE)
    assert (evidence.subject, evidence.subject_id) == ("call", "c")
    assert evidence.before.startswith("over since 2026-11-22T09:00:10")
    shown = floor.engine.floor_view()
    assert [call.call_id for call in shown.calls] == ["d"]
    assert [agent.call.call_id for agent in shown.agents if agent.call is not None] in ([], ["d"])
    assert sum(queue.waiting for queue in shown.queues) == 0


def test_a_transfer_asked_for_after_its_call_ended_is_no_ghost_that_is_flagged() -> None:
    floor = ended()
    floor(10.2, LATE[0])
    assert [one for one in floor.engine.floor_view().transfers if one.outcome == "running"] == []
    floor.mark(60)
    assert floor.made(FlagRaised) == []
    assert {one.outcome for one in floor.made(TransferEnded)} <= {"failed"}


def test_a_call_that_starts_after_the_end_is_another_one_with_the_same_id() -> None:
    floor = ended()
    floor(10.5, CallStarted(call_id="c"), LATE[0])
    assert {call.call_id for call in floor.engine.floor_view().calls} == {"c", "d"}
    assert floor.engine.anomalies(SITE) == {}


@pytest.mark.parametrize(
    "first", [CallQueued(call_id="c", queue="sales"), LegStarted(call_id="c", leg_id="l", agent_id="1")]
)
def test_feeds_without_call_started_use_ids_again_after_a_while(first: Data) -> None:
    floor = ended()
    floor(21, first)
    assert {call.call_id for call in floor.engine.floor_view().calls} == {"c", "d"}


def test_a_call_that_ends_before_it_is_heard_of_is_over() -> None:
    floor = Bench()
    floor(10, CallCleared(call_id="c"))
    floor(10.1, LATE[0])
    assert floor.engine.anomalies(SITE) == {"cleared_unknown_call": 1, "call_is_over": 1}
    assert floor.engine.floor_view().calls == ()


def test_a_call_that_ends_twice_is_counted_and_changes_nothing() -> None:
    floor = ended()
    floor(11, CallCleared(call_id="c"))
    assert floor.engine.anomalies(SITE) == {"call_cleared_twice": 1}


def test_after_a_lost_link_a_call_may_turn_out_to_live() -> None:
    floor = ended()
    floor(11, LinkDown(connector="x"))
    floor(12, LinkUp(connector="x"), LATE[2])
    assert {call.call_id for call in floor.engine.floor_view().calls} == {"c"}


def test_the_last_two_thousand_are_remembered() -> None:
    floor = Bench()
    for second in range(5000):
        floor(second, CallCleared(call_id=f"c{second}"))
    known = floor.engine._floors[SITE].state.over
    assert over.KEPT <= len(known) <= over.KEPT + 200
    assert {f"c{second}" for second in range(3000, 5000)} <= set(known)
