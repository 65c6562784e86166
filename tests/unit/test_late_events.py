"""Events overtaken by what followed them, one trap a test. That any disorder ends well: tests/property/test_late_events.py."""

from __future__ import annotations

from services.monitor.core.state import SiteState
from services.monitor.core.trust.late import LATE
from services.monitor.core.views import AgentView, QueueView, TransferView
from shared import facts
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    AgentNotReady,
    AgentReady,
    CallCleared,
    CallDequeued,
    CallQueued,
    CallStarted,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegMoved,
    LegRetrieved,
    LegStarted,
    LinkUp,
    TransferAnswered,
    TransferBridged,
    TransferEnded,
    TransferRequested,
    TransferRinging,
    WrapEnded,
    WrapStarted,
)
from tests.floorkit import SITE, Bench, at

ON = AgentLoggedOn(agent_id="1", queues=("sales",))


def state(floor: Bench) -> SiteState:
    return floor.engine._floors[SITE].state


def agent(floor: Bench) -> AgentView:
    view = floor.engine.view("agent", SITE, "1")
    assert isinstance(view, AgentView)
    return view


def queue(floor: Bench) -> QueueView:
    view = floor.engine.view("queue", SITE, "sales")
    assert isinstance(view, QueueView)
    return view


def transfer(floor: Bench) -> TransferView:
    view = floor.engine.view("transfer", SITE, "t")
    assert isinstance(view, TransferView)
    return view


# ---------------------------------------------------------------- agents


def test_an_older_ready_after_a_newer_not_ready_does_not_win() -> None:
    floor = Bench()
    floor(0, ON)
    floor(10, AgentNotReady(agent_id="1", reason="tea"))
    floor(9, AgentReady(agent_id="1"))
    assert (agent(floor).state, agent(floor).reason) == ("break", "tea")
    assert floor.engine.anomalies(SITE) == {"late_declaration": 1}


def test_a_late_break_belongs_to_the_shift_before_the_log_off() -> None:
    floor = Bench()
    floor(0, ON)
    floor(10, AgentLoggedOff(agent_id="1"))
    floor(9, AgentNotReady(agent_id="1", reason="tea"))
    assert agent(floor).state == "offline"
    floor(20, ON)
    assert agent(floor).state == "ready"


def test_a_log_off_that_comes_after_the_next_log_on_ends_only_the_shift_before() -> None:
    floor = Bench()
    floor(0, ON, AgentNotReady(agent_id="1", reason="tea"))
    floor(12, AgentLoggedOn(agent_id="1", queues=("support",)))
    floor(10, AgentLoggedOff(agent_id="1"))
    assert (agent(floor).state, agent(floor).queues) == ("ready", ("support",)), "the break was over with the log-off"
    assert floor.engine.anomalies(SITE) == {"late_log_off": 1}


def test_a_log_on_that_comes_after_its_log_off_changes_neither_state_nor_queues() -> None:
    floor = Bench()
    floor(10, AgentLoggedOff(agent_id="1"))
    floor(5, ON)
    assert (agent(floor).state, agent(floor).queues) == ("offline", ())
    assert floor.engine.anomalies(SITE) == {"late_log_on": 1}


def test_a_wrap_whose_end_came_first_does_not_begin() -> None:
    floor = Bench()
    floor(0, ON)
    floor(20, WrapEnded(agent_id="1"))
    floor(12, WrapStarted(agent_id="1", call_id="c"))
    assert agent(floor).state == "ready"
    assert floor.engine.anomalies(SITE) == {"wrap_ended_without_wrap": 1, "late_wrap": 1}
    floor(20, WrapStarted(agent_id="1", call_id="d"))
    assert agent(floor).state == "wrap", "the next one, begun at that moment, does"
    floor(19, WrapEnded(agent_id="1"))
    assert agent(floor).state == "wrap", "and no older end ends it"


def test_a_wrap_that_ready_ended_does_not_begin_but_one_with_a_timer_does() -> None:
    floor = Bench()
    floor(0, ON)
    floor(20, AgentReady(agent_id="1"))
    floor(12, WrapStarted(agent_id="1"))
    assert agent(floor).state == "ready"
    floor(12, WrapStarted(agent_id="1", until=at(30)))
    assert agent(floor).state == "wrap"
    floor.mark(31)
    assert agent(floor).state == "ready"


def test_a_wrap_whose_timer_has_run_out_when_it_comes_is_not_shown() -> None:
    floor = Bench()
    floor(0, ON)
    floor.mark(40)
    floor(12, WrapStarted(agent_id="1", until=at(30)))
    assert agent(floor).state == "ready"


def test_what_is_older_than_a_minute_is_of_another_clock_and_adopted() -> None:
    floor = Bench()
    floor(0, ON)
    late = LATE.total_seconds()
    floor(1000, AgentNotReady(agent_id="1", reason="tea"))
    floor(1000 - late, AgentReady(agent_id="1"))
    assert agent(floor).state == "break"
    floor(1000 - late - 1, AgentReady(agent_id="1"))
    assert agent(floor).state == "ready"


def test_after_the_link_came_back_nothing_is_late() -> None:
    floor = Bench()
    floor(0, LinkUp(connector="x"), ON)
    floor(30, AgentNotReady(agent_id="1", reason="tea"), CallCleared(call_id="c"), LegCleared(call_id="c", leg_id="l"))
    floor(40, LinkUp(connector="x"))
    floor(5, AgentReady(agent_id="1"))
    assert agent(floor).state == "ready", "the switch tells of a state with the time at which it began"
    floor(28, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    assert agent(floor).state == "ringing"


# ---------------------------------------------------------------- legs


def test_an_answer_before_the_beginning_of_its_leg_counts_once_that_comes() -> None:
    floor = Bench()
    floor(0, ON)
    floor(8, LegAnswered(call_id="c", leg_id="l"))
    assert floor.engine.anomalies(SITE) == {"talking_unknown_leg": 1}
    floor(5, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    assert agent(floor).state == "talk"
    assert state(floor).legs["l"].answered == at(8)
    assert not state(floor).early


def test_a_leg_whose_end_came_first_leaves_no_ghost() -> None:
    floor = Bench()
    floor(0, ON)
    floor(9, LegAnswered(call_id="c", leg_id="l"), LegCleared(call_id="c", leg_id="l"))
    floor(5, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    assert (agent(floor).state, state(floor).legs, state(floor).early) == ("ready", {}, {})
    floor(9, LegStarted(call_id="d", leg_id="l", agent_id="1"))
    assert agent(floor).state == "ringing", "the same id in another call is another leg"


def test_of_hold_and_retrieve_that_come_in_the_wrong_order_the_newer_counts() -> None:
    floor = Bench()
    floor(0, ON, LegStarted(call_id="c", leg_id="l", agent_id="1", state="talking"))
    floor(12, LegRetrieved(call_id="c", leg_id="l"))
    floor(10, LegHeld(call_id="c", leg_id="l"))
    assert agent(floor).state == "talk"
    assert floor.engine.anomalies(SITE) == {"late_held": 1}


def test_an_answer_that_comes_after_the_hold_is_when_the_conversation_began() -> None:
    floor = Bench()
    floor(0, ON)
    floor(2, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    floor(9, LegHeld(call_id="c", leg_id="l"))
    floor(4, LegAnswered(call_id="c", leg_id="l"))
    assert agent(floor).state == "hold"
    assert state(floor).legs["l"].answered == state(floor).calls["c"].answered == at(4)


def test_a_leg_that_moved_into_a_call_that_is_over_is_over() -> None:
    floor = Bench()
    floor(0, ON, CallStarted(call_id="c"), LegStarted(call_id="k", leg_id="l", agent_id="1", role="internal"))
    floor(20, CallCleared(call_id="c"))
    floor(14, LegMoved(leg_id="l", call_id="c", from_call_id="k"))
    assert agent(floor).state == "ready"
    assert "c" not in state(floor).calls


def test_of_two_moves_that_come_in_the_wrong_order_the_newer_counts() -> None:
    floor = Bench()
    floor(0, ON, CallStarted(call_id="c"), CallStarted(call_id="d"))
    floor(5, LegStarted(call_id="k", leg_id="l", agent_id="1", role="internal"))
    floor(14, LegMoved(leg_id="l", call_id="d", from_call_id="c"))
    floor(12, LegMoved(leg_id="l", call_id="c", from_call_id="k"))
    assert state(floor).legs["l"].call_id == "d"


# ---------------------------------------------------------------- calls and queues


def test_a_call_whose_end_came_before_everything_is_not_brought_back() -> None:
    floor = Bench()
    floor(0, ON)
    floor(30, CallCleared(call_id="c", cleared_by="customer"))
    floor(10, CallStarted(call_id="c"), CallQueued(call_id="c", queue="sales"))
    floor(12, LegStarted(call_id="c", leg_id="l", agent_id="1"), LegAnswered(call_id="c", leg_id="l"))
    floor(12, CallDequeued(call_id="c", queue="sales", reason="answered", agent_id="1"))
    floor(29, LegHeld(call_id="c", leg_id="l"))
    assert (state(floor).calls, state(floor).legs, agent(floor).state) == ({}, {}, "ready")
    assert all(not one.waiting for one in state(floor).queues.values())


def test_a_call_that_left_its_queue_before_it_entered_does_not_wait_and_counts() -> None:
    floor = Bench()
    floor(0, ON)
    floor(15, CallDequeued(call_id="c", queue="sales", reason="timed_out"))
    floor(3, CallQueued(call_id="c", queue="sales"))
    view = queue(floor)
    assert (view.waiting, view.offered, view.other_ended, view.longest_waited_s) == (0, 1, 1, 12.0)
    (record,) = floor.made(facts.CallEnded)
    assert (record.outcome, record.started_at, record.waited_s) == ("timed_out", at(3), 12.0)


def test_a_second_visit_that_is_told_before_the_end_of_the_first_waits_on() -> None:
    floor = Bench()
    floor(1, CallQueued(call_id="c", queue="sales"))
    floor(12, CallQueued(call_id="c", queue="sales"))
    floor(10, CallDequeued(call_id="c", queue="sales", reason="timed_out"))
    view = queue(floor)
    assert (view.waiting, view.longest_since, view.offered, view.other_ended) == (1, at(12), 2, 1)


def test_a_first_visit_that_is_told_after_the_second_counts_beside_it() -> None:
    floor = Bench()
    floor(12, CallQueued(call_id="c", queue="sales"))
    floor(1, CallQueued(call_id="c", queue="sales"))
    floor(10, CallDequeued(call_id="c", queue="sales", reason="timed_out"))
    view = queue(floor)
    assert (view.waiting, view.longest_since, view.offered, view.other_ended) == (1, at(12), 2, 1)


# ---------------------------------------------------------------- transfers


def asked() -> TransferRequested:
    return TransferRequested(transfer_id="t", call_id="c", kind="attended", from_agent="1", to_agent="2")


def test_stamps_that_come_before_the_request_count_once_it_comes() -> None:
    floor = Bench()
    floor(0, ON, CallStarted(call_id="c"))
    floor(16, TransferBridged(transfer_id="t", to_agent="2"))
    floor(14, TransferAnswered(transfer_id="t", to_agent="2"))
    floor(12, TransferRinging(transfer_id="t", to_agent="2"))
    floor(10, asked())
    (record,) = floor.made(facts.TransferEnded)
    assert (record.outcome, record.seek_s, record.ring_s, record.brief_s, record.total_s) == ("completed", 2, 2, 2, 6)


def test_a_stamp_that_comes_after_the_bridge_puts_the_record_right() -> None:
    floor = Bench()
    floor(0, ON, CallStarted(call_id="c"))
    floor(10, asked())
    floor(16, TransferBridged(transfer_id="t", to_agent="2"))
    floor(12, TransferRinging(transfer_id="t", to_agent="2"))
    floor(14, TransferAnswered(transfer_id="t", to_agent="2"))
    last = floor.made(facts.TransferEnded)[-1]
    assert (last.seek_s, last.ring_s, last.brief_s, last.total_s) == (2, 2, 2, 6)
    sent = [fact for fact in floor.facts if isinstance(fact.data, facts.TransferEnded)]
    assert len({fact.id for fact in sent}) == 1, "under the same id"
    assert len({fact.rawindex + 1000 * fact.rawoffset for fact in sent}) == 3, "and each once, at a position of its own"
    floor(17, TransferRinging(transfer_id="t", to_agent="3"))
    assert transfer(floor).to_agent == "2", "nothing rings after the bridge"


def test_a_bridge_that_comes_after_the_end_of_its_call_puts_the_outcome_right() -> None:
    floor = Bench()
    floor(0, ON, CallStarted(call_id="c"))
    floor(10, asked())
    floor(20, CallCleared(call_id="c", cleared_by="customer"))
    assert transfer(floor).outcome == "abandoned"
    floor(16, TransferBridged(transfer_id="t", to_agent="2"))
    assert (transfer(floor).outcome, transfer(floor).total_s) == ("completed", 6.0)
    floor(15, TransferEnded(transfer_id="t", outcome="failed"))
    assert transfer(floor).outcome == "completed", "what the switch said is no guess"


def test_a_bridge_after_the_end_of_its_call_by_its_own_stamp_changes_nothing() -> None:
    floor = Bench()
    floor(0, ON, CallStarted(call_id="c"))
    floor(10, asked())
    floor(20, CallCleared(call_id="c"))
    floor(21, TransferBridged(transfer_id="t", to_agent="2"))
    assert transfer(floor).outcome == "failed"


def test_a_request_that_comes_after_the_end_of_its_call_is_still_a_case() -> None:
    floor = Bench()
    floor(0, ON, CallStarted(call_id="c"))
    floor(20, CallCleared(call_id="c"))
    floor(10, asked())
    assert (transfer(floor).outcome, transfer(floor).requested) == ("failed", at(10))
    assert state(floor).calls == {}
    floor(18, TransferEnded(transfer_id="t", outcome="cancelled"))
    assert transfer(floor).outcome == "cancelled"


def test_a_transfer_began_with_its_first_word_whichever_comes_first() -> None:
    floor = Bench()
    floor(0, ON, CallStarted(call_id="c"))
    floor(12, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_queue="support"))
    floor(10, asked())
    assert (transfer(floor).requested, transfer(floor).kind) == (at(10), "blind"), "its kind is the later word's"
    floor.mark(17.1)
    assert [flag.raised_at for flag in floor.made(facts.FlagRaised)] == [at(17)]


# ---------------------------------------------------------------- what is kept


def test_what_is_kept_for_latecomers_is_let_go_after_a_minute() -> None:
    floor = Bench()
    for number in range(300):
        floor(
            number, LegAnswered(call_id="c", leg_id=f"never{number}"), LegCleared(call_id="c", leg_id=f"over{number}")
        )
    assert len(state(floor).early) <= LATE.total_seconds() + 1
    assert len(state(floor).over_legs) <= LATE.total_seconds() + 1


def test_what_is_kept_for_latecomers_is_bounded_also_in_one_moment() -> None:
    floor = Bench()
    for number in range(1500):
        floor(1, LegAnswered(call_id="c", leg_id=f"never{number}"), LegCleared(call_id="c", leg_id=f"over{number}"))
        floor(1, LegHeld(call_id="c", leg_id="one"), LegRetrieved(call_id="c", leg_id="one"))
    assert len(state(floor).early) <= 1024
    assert max(len(kept) for kept in state(floor).early.values()) <= 8
    assert len(state(floor).over_legs) <= 1024
