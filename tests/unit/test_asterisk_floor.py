"""Agents, wrap and queue visits on Asterisk: the traps of its manager events, one test each."""

from __future__ import annotations

import pytest

from shared import events
from shared.siteconfig import AgentConfig, SiteConfig
from tests.asteriskkit import START, Pbx


@pytest.fixture
def pbx() -> Pbx:
    return Pbx()


# ---------------------------------------------------------------- who is there


def test_an_agent_is_logged_on_while_any_queue_has_it_and_known_by_its_extension(pbx: Pbx) -> None:
    pbx.member("1001", "sales", name="Anna Berg")
    pbx.member("1001", "support", name="Anna Berg")
    pbx.at(5).member("1001", "sales", event="Removed")
    assert pbx.told(events.AgentLoggedOn)[1] == events.AgentLoggedOn(
        agent_id="1001", name="Anna Berg", queues=("sales", "support")
    )
    assert not pbx.told(events.AgentLoggedOff)
    pbx.at(6).member("1001", "support", event="Removed")
    assert pbx.one(events.AgentLoggedOff).agent_id == "1001"


def test_a_member_behind_a_local_channel_is_known_by_its_real_phone(pbx: Pbx) -> None:
    pbx.member("1007", "sales", interface="Local/1007@agents/n")
    assert pbx.one(events.AgentLoggedOn).agent_id == "1007"


def test_a_name_that_is_only_the_extension_gives_way_to_the_configured_one() -> None:
    pbx = Pbx(SiteConfig(agents={"1004": AgentConfig(name="Jonas Lund", team="Blue")}))
    pbx.member("1004", "sales", name="1004")
    assert pbx.one(events.AgentLoggedOn) == events.AgentLoggedOn(
        agent_id="1004", name="Jonas Lund", team="Blue", queues=("sales",)
    )


def test_a_pause_counts_when_every_queue_has_it_and_ends_with_logging_off(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.member("1001", "support")
    pbx.at(5).member("1001", "sales", event="Pause", Paused=1, PausedReason="lunch")
    assert not pbx.told(events.AgentNotReady)
    pbx.member("1001", "support", event="Pause", Paused=1, PausedReason="lunch")
    assert pbx.one(events.AgentNotReady).reason == "lunch"
    for queue in ("sales", "support"):
        pbx.at(8).member("1001", queue, event="Removed", Paused=1)
    pbx.at(9).member("1001", "sales")
    assert [type(data) for data in pbx.story()][-2:] == [events.AgentLoggedOff, events.AgentLoggedOn]
    pbx.at(10).member("1001", "sales", event="Pause", Paused=1, PausedReason="lunch")
    assert len(pbx.told(events.AgentNotReady)) == 2


def test_what_says_nothing_new_is_not_told(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    before = len(pbx.events)
    for status in (1, 3, 1):  # busy while ringing as well as while talking on a single-line phone
        pbx.at(pbx.now + 1).member("1001", "sales", event="Status", Status=status)
    assert len(pbx.events) == before


def test_a_late_status_does_not_bring_back_a_removed_member(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.at(2).member("1001", "sales", event="Removed")
    pbx.at(3).member("1001", "sales", event="Status")
    assert [type(data) for data in pbx.story()] == [events.AgentLoggedOn, events.AgentLoggedOff]


def test_an_older_word_of_a_member_does_not_undo_a_newer_one(pbx: Pbx) -> None:
    pbx.at(1).member("1001", "sales")
    pbx.at(5).member("1001", "sales", event="Pause", Paused=1)
    pbx.at(4).member("1001", "sales", event="Status", Paused=0)
    assert not pbx.told(events.AgentReady)


# ---------------------------------------------------------------- wrap


def test_wrap_is_a_timer_from_the_end_of_the_agents_part(pbx: Pbx) -> None:
    pbx.member("1001", "support")
    customer, agent, _ = pbx.at(10).queue_call("support", "1001")
    pbx.at(20).complete("support", "PJSIP/1001")
    pbx.hang_up_by(customer, agent)
    wrap = pbx.one(events.WrapStarted)
    assert wrap.until is not None
    assert (wrap.until - START).total_seconds() == pytest.approx(30, abs=0.01)
    assert (wrap.queue, wrap.call_id) == ("support", customer.uid)
    started = next(event for event in pbx.events if event.data is wrap)
    assert started.provenance == "inferred"


def test_agent_complete_without_any_channel_is_matched_by_interface_and_queue(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.member("1002", "sales")
    pbx.at(10).queue_call("sales", "1001")
    second = pbx.queue_call("sales", "1002")
    pbx.at(20).complete("sales", "PJSIP/1002")
    wrap = pbx.one(events.WrapStarted)
    assert (wrap.agent_id, wrap.call_id) == ("1002", second[0].uid)


def test_wrap_does_not_wait_for_an_agent_complete_that_never_comes(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).hang_up_by(agent, customer)
    assert pbx.one(events.WrapStarted).agent_id == "1001"


def test_the_members_own_wrap_up_time_overrides_the_queues(pbx: Pbx) -> None:
    pbx.member("1001", "sales", Wrapuptime=25)
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).hang_up_by(agent, customer)
    until = pbx.one(events.WrapStarted).until
    assert until is not None
    assert (until - START).total_seconds() == pytest.approx(45, abs=0.01)


def test_a_queue_without_wrap_up_time_gives_no_wrap(pbx: Pbx) -> None:
    pbx.member("1001", "billing")
    customer, agent, _ = pbx.at(10).queue_call("billing", "1001")
    pbx.at(20).complete("billing", "PJSIP/1001")
    pbx.hang_up_by(agent, customer)
    assert not pbx.told(events.WrapStarted)


def test_a_call_transferred_in_gives_its_new_agent_no_wrap(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.member("1002", "sales")
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).blind(agent, customer, "1002")
    target = pbx.dial(customer, "1002")
    pbx.answer(customer, target)
    pbx.at(30).hang_up_by(target, customer)
    assert [wrap.agent_id for wrap in pbx.told(events.WrapStarted)] == ["1001"]


def test_a_pause_or_a_log_off_in_mid_call_does_not_end_the_call(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    pbx.at(12).member("1001", "sales", event="Pause", Paused=1, PausedReason="training")
    pbx.at(14).member("1001", "sales", event="Removed")
    pbx.at(20).hang_up_by(customer, agent)
    kinds = [type(data) for data in pbx.story(events.AgentNotReady, events.AgentLoggedOff, events.LegCleared)]
    assert kinds == [events.AgentNotReady, events.AgentLoggedOff, events.LegCleared]
    assert not pbx.told(events.WrapStarted)


# ---------------------------------------------------------------- queue visits and rings


def test_a_call_answered_from_a_queue(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).hang_up_by(customer, agent)
    assert [type(data).__name__ for data in pbx.story()][1:] == [
        *("CallStarted", "CallQueued", "LegStarted", "LegAnswered", "CallDequeued"),
        *("LegCleared", "WrapStarted", "CallCleared"),
    ]
    answered = pbx.one(events.CallDequeued)
    assert (answered.reason, answered.agent_id, answered.call_id) == ("answered", "1001", customer.uid)
    assert pbx.one(events.CallCleared).cleared_by == "customer"
    assert pbx.one(events.LegStarted).peer == "+4512345678"


def test_an_unanswered_ring_ends_once_though_the_switch_says_so_twice(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    _, phone = pbx.offer(customer, "sales", "1001")
    pbx.at(18).send(
        "AgentRingNoAnswer", customer.block(), phone.block("Dest"), Queue="sales", Interface="PJSIP/1001", RingTime=8000
    )
    pbx.refuse(customer, phone, "NOANSWER")
    assert pbx.states("1001") == ["agent ringing", "agent cleared no_answer"]
    assert not pbx.told(events.CallDequeued)


def test_everybody_rings_and_one_answers(pbx: Pbx) -> None:
    for agent in ("1001", "1002"):
        pbx.member(agent, "sales")
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    first, second = pbx.offer(customer, "sales", "1001"), pbx.offer(customer, "sales", "1002")
    pbx.at(13).up(first[1])
    pbx.dial_end(customer, first[1], "ANSWER")
    pbx.dial_end(customer, second[1], "CANCEL")
    pbx.dial_end(customer, second[1], "CANCEL")
    pbx.hangup(second[1], cause=26)
    assert pbx.states("1002") == ["agent ringing", "agent cleared answered_elsewhere"]


def test_an_abandoned_call(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    phone = pbx.offer(customer, "sales", "1001")[1]
    pbx.at(14).send("HangupRequest", customer.block())
    pbx.dial_end(customer, phone, "CANCEL")
    pbx.send("QueueCallerAbandon", customer.block(), Queue="sales", Position=1, OriginalPosition=1, HoldTime=4)
    pbx.send("QueueCallerLeave", customer.block(), Queue="sales", Position=1, Count=0)
    pbx.hangup(phone, customer)
    assert pbx.one(events.CallDequeued).reason == "abandoned"
    assert pbx.one(events.CallCleared).cleared_by == "customer"


def test_a_call_that_the_switch_drops_is_not_abandoned(pbx: Pbx) -> None:
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    pbx.at(14).send("SoftHangupRequest", customer.block())
    pbx.send("QueueCallerAbandon", customer.block(), Queue="sales", Position=1, OriginalPosition=1, HoldTime=4)
    pbx.hangup(customer)
    assert pbx.one(events.CallDequeued).reason == "cleared"
    assert pbx.one(events.CallCleared).cleared_by == "switch"


def test_a_call_that_times_out_and_overflows_makes_two_visits(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.member("1002", "support")
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    pbx.at(30).send("QueueCallerLeave", customer.block(), Queue="sales", Position=1, Count=0)
    pbx.join(customer, "support", "802")
    pbx.at(33).connect(customer, "support", pbx.offer(customer, "support", "1002"))
    visits = [(visit.queue, visit.reason) for visit in pbx.told(events.CallDequeued)]
    assert visits == [("sales", "timed_out"), ("support", "answered")]
    assert len(pbx.told(events.CallStarted)) == 1


def test_a_queue_that_nobody_serves_overflows_and_a_key_leaves_it(pbx: Pbx) -> None:
    for seconds, key in ((10, False), (20, True)):
        customer = pbx.at(seconds).customer()
        pbx.join(customer, "sales")
        if key:
            pbx.at(25).send("DTMFEnd", customer.block(), Digit="1", Direction="Received")
        pbx.send("QueueCallerLeave", customer.block(), Queue="sales", Position=1, Count=0)
        pbx.hangup(customer)
    assert [visit.reason for visit in pbx.told(events.CallDequeued)] == ["overflowed", "moved"]


def test_an_ivr_before_the_queue_is_no_visit(pbx: Pbx) -> None:
    customer = pbx.at(1).customer(exten="500")
    pbx.at(9).send("DTMFEnd", customer.block(), Digit="1", Direction="Received")
    assert not pbx.events
    pbx.at(10).join(customer, "sales")
    assert [type(data).__name__ for data in pbx.story()] == ["CallStarted", "CallQueued"]


def test_a_member_behind_a_local_channel_rings_and_talks_on_the_real_phone(pbx: Pbx) -> None:
    interface = "Local/1007@agents/n"
    pbx.member("1007", "sales", interface=interface)
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    offered = pbx.offer(customer, "sales", "1007", interface)
    pbx.at(13).connect(customer, "sales", offered, interface)
    pbx.at(15).hold(offered[1])
    pbx.at(17).resume(offered[1])
    pbx.at(20).complete("sales", interface)
    pbx.hang_up_by(customer, offered[0], pbx.twos[offered[0].uid], offered[1])
    assert pbx.states("1007") == [
        *("agent ringing", "agent talking", "agent held", "agent retrieved", "agent cleared hangup")
    ]
    assert pbx.one(events.LegStarted).queue == "sales"
    assert pbx.one(events.CallDequeued).agent_id == "1007"
    assert len(pbx.told(events.WrapStarted)) == 1


def test_a_local_member_may_end_at_a_phone_of_any_name(pbx: Pbx) -> None:
    """Local/7@agents without a StateInterface that dials a mobile through the trunk: the trunk is then the agent's phone."""
    interface = "Local/7@agents/n"
    pbx.send("QueueMemberAdded", Queue="sales", MemberName="Mobile", Interface=interface, StateInterface=interface)
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    one, two = pbx.local("7", of=customer)
    pbx.send(
        "AgentCalled", customer.block(), one.block("Dest"), Queue="sales", Interface=interface, MemberName="Mobile"
    )
    pbx.send("DialBegin", customer.block(), one.block("Dest"))
    mobile = pbx.new("PJSIP/carrier", "+4599", of=customer)
    pbx.ring(two, mobile)
    leg = pbx.one(events.LegStarted)
    assert (leg.agent_id, leg.leg_id, leg.queue, leg.call_id) == ("7", mobile.uid, "sales", customer.uid)
