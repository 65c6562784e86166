"""Transfers: stamps, legs, outcomes, and the 7 s rule at its edge."""

from __future__ import annotations

import pytest

from shared.events import (
    AgentLoggedOn,
    CallCleared,
    CallQueued,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegMoved,
    LegRetrieved,
    LegStarted,
    TransferAnswered,
    TransferBridged,
    TransferEnded,
    TransferRequested,
    TransferRinging,
    WrapStarted,
)
from shared.facts import FlagCleared, FlagRaised
from shared.facts import TransferEnded as TransferRecord
from tests.floorkit import SITE, Bench, at


def talking(floor: Bench) -> None:
    """Agent 1 talks with the customer of call c from second 10."""
    floor(0, AgentLoggedOn(agent_id="1"), AgentLoggedOn(agent_id="2"))
    floor(5, LegStarted(call_id="c", leg_id="one", agent_id="1"))
    floor(10, LegAnswered(call_id="c", leg_id="one"))


def test_the_legs_of_an_attended_transfer() -> None:
    floor = Bench()
    talking(floor)
    floor(20, LegHeld(call_id="c", leg_id="one"))
    floor(20.5, TransferRequested(transfer_id="t", call_id="c", kind="attended", from_agent="1", to_agent="2"))
    floor(21, TransferRinging(transfer_id="t"), LegStarted(call_id="k", leg_id="two", agent_id="2", role="internal"))
    floor(23, TransferAnswered(transfer_id="t"), LegAnswered(call_id="k", leg_id="two"))
    floor(26, LegMoved(leg_id="two", call_id="c", from_call_id="k"), TransferBridged(transfer_id="t", to_agent="2"))
    floor(26, LegCleared(call_id="c", leg_id="one", cause="transferred"))
    (record,) = floor.made(TransferRecord)
    assert (record.seek_s, record.ring_s, record.brief_s, record.total_s) == (0.5, 2.0, 3.0, 5.5)
    assert record.customer_gap_s == 6.0, "the customer heard nobody since the hold"
    assert (record.outcome, record.to_agent) == ("completed", "2")
    assert floor.agent("2") == "talk"
    assert floor.made(FlagRaised) == []


@pytest.mark.parametrize(("bridged", "flags"), [(26.999, 0), (27.0, 0), (27.001, 1)])
def test_over_seven_seconds_means_over(bridged: float, flags: int) -> None:
    floor = Bench()
    talking(floor)
    floor(20, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2"))
    floor(bridged, TransferBridged(transfer_id="t"))
    raised = floor.made(FlagRaised)
    assert len(raised) == flags
    assert all(flag.raised_at == at(27) for flag in raised)


def test_a_slow_transfer_is_flagged_while_it_runs_and_cleared_when_it_ends() -> None:
    floor = Bench()
    talking(floor)
    floor(20, TransferRequested(transfer_id="t", call_id="c", kind="queue", from_agent="1", to_queue="sales"))
    assert floor.mark(27.0) == []
    (raised,) = [fact.data for fact in floor.mark(27.05)]
    assert isinstance(raised, FlagRaised)
    assert (raised.rule, raised.subject_id, raised.raised_at) == ("slow_transfer", "t", at(27))
    assert raised.evidence["from_agent"] == "1"
    floor(40, TransferBridged(transfer_id="t", to_agent="2"))
    (cleared,) = floor.made(FlagCleared)
    assert (cleared.flag_id, cleared.duration_s) == (raised.flag_id, 20.0)
    assert (cleared.evidence["outcome"], cleared.evidence["total_s"]) == ("completed", 20.0)
    assert floor.engine.floor_view().flags == ()


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "abandoned"])
def test_a_transfer_that_never_bridges_is_a_case_with_an_outcome(outcome: str) -> None:
    floor = Bench()
    talking(floor)
    floor(20, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2"))
    floor(24, TransferEnded(transfer_id="t", outcome=outcome, reason="busy"))  # type: ignore[arg-type]
    (record,) = floor.made(TransferRecord)
    assert (record.outcome, record.total_s, record.reason) == (outcome, None, "busy")
    floor.mark(60)
    assert floor.made(FlagRaised) == [], "it no longer runs"


@pytest.mark.parametrize(("by", "outcome"), [("customer", "abandoned"), ("switch", "failed")])
def test_a_call_that_ends_ends_its_transfer(by: str, outcome: str) -> None:
    floor = Bench()
    talking(floor)
    floor(20, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2"))
    floor(25, CallCleared(call_id="c", cleared_by=by))  # type: ignore[arg-type]
    assert [record.outcome for record in floor.made(TransferRecord)] == [outcome]


def test_a_customer_taken_back_is_not_in_the_gap() -> None:
    floor = Bench()
    talking(floor)
    floor(20, LegHeld(call_id="c", leg_id="one"))
    floor(20, TransferRequested(transfer_id="t", call_id="c", kind="attended", from_agent="1", to_agent="2"))
    floor(22, LegRetrieved(call_id="c", leg_id="one"))
    floor(24, LegHeld(call_id="c", leg_id="one"))
    floor(26, TransferBridged(transfer_id="t", to_agent="2"))
    (record,) = floor.made(TransferRecord)
    assert (record.customer_gap_s, record.total_s) == (2.0, 6.0)


def test_ended_transfers_leave_the_board_after_five_minutes() -> None:
    floor = Bench()
    talking(floor)
    floor(20, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2"))
    floor(21, TransferBridged(transfer_id="t"))
    floor.mark(320)
    assert floor.engine.view("transfer", SITE, "t") is not None
    floor.mark(322)
    assert floor.engine.view("transfer", SITE, "t") is None


def test_a_waiting_call_is_flagged_after_its_limit_from_when_it_entered() -> None:
    floor = Bench()
    floor(0, CallQueued(call_id="c", queue="sales"))
    floor(20, LegStarted(call_id="c", leg_id="l", agent_id="1", queue="sales"))
    floor.mark(31)
    (raised,) = floor.made(FlagRaised)
    assert (raised.rule, raised.started_at, raised.raised_at) == ("long_wait", at(0), at(30))
    assert raised.labels["queue"] == "sales"


def test_the_next_wrap_is_timed_anew() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), WrapStarted(agent_id="1", call_id="a"))
    floor(30, WrapStarted(agent_id="1", call_id="b"))
    floor.mark(46)
    assert floor.made(FlagRaised) == []
    floor.mark(76)
    assert [flag.started_at for flag in floor.made(FlagRaised)] == [at(30)]
