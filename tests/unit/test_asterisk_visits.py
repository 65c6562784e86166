"""How a queue visit ended when nobody answered: what the switch says, in its order and out of it."""

from __future__ import annotations

import pytest

from shared import events
from tests.asteriskkit import Chan, Pbx


@pytest.fixture
def pbx() -> Pbx:
    pbx = Pbx()
    pbx.member("1001", "sales")
    pbx.member("1002", "support")
    return pbx


def waiting(pbx: Pbx) -> Chan:
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    return customer


def abandon(pbx: Pbx, chan: Chan) -> None:
    """The queue says it of every call that leaves unanswered, whoever gave up."""
    pbx.send("QueueCallerAbandon", chan.block(), Queue="sales", Position=1, OriginalPosition=1, HoldTime=20)


def leave(pbx: Pbx, chan: Chan, queue: str = "sales") -> None:
    pbx.send("QueueCallerLeave", chan.block(), Queue=queue, Position=1, Count=0)


def reasons(pbx: Pbx) -> list[tuple[str, str]]:
    return [(visit.queue, visit.reason) for visit in pbx.told(events.CallDequeued)]


def test_a_call_that_timed_out_is_not_abandoned_though_the_switch_says_so(pbx: Pbx) -> None:
    customer = waiting(pbx)
    pbx.at(30)
    abandon(pbx, customer)
    leave(pbx, customer)
    pbx.at(30.1).join(customer, "support", "802")
    pbx.at(33).connect(customer, "support", pbx.offer(customer, "support", "1002"))
    assert reasons(pbx) == [("sales", "timed_out"), ("support", "answered")]
    assert pbx.when(events.CallDequeued)[0] == 30


def test_a_call_that_timed_out_and_is_dropped_by_the_dialplan_is_not_abandoned(pbx: Pbx) -> None:
    customer = waiting(pbx)
    pbx.at(30)
    abandon(pbx, customer)
    leave(pbx, customer)
    pbx.hangup(customer)
    assert reasons(pbx) == [("sales", "timed_out")]
    assert pbx.one(events.CallCleared).cleared_by == "switch"


def test_a_call_that_timed_out_stays_so_when_the_customer_hangs_up_at_the_mailbox(pbx: Pbx) -> None:
    customer = waiting(pbx)
    pbx.at(30)
    abandon(pbx, customer)
    leave(pbx, customer)
    pbx.at(35).send("HangupRequest", customer.block())
    pbx.hangup(customer)
    assert reasons(pbx) == [("sales", "timed_out")]


def test_a_queue_that_lost_its_last_member_overflows_though_the_switch_says_abandon(pbx: Pbx) -> None:
    customer = waiting(pbx)
    pbx.at(20).send("QueueMemberRemoved", Queue="sales", Interface="PJSIP/1001")
    abandon(pbx, customer)
    leave(pbx, customer)
    pbx.at(21).send("Newstate", customer.block())
    assert reasons(pbx) == [("sales", "overflowed")]


def test_a_request_to_hang_up_that_comes_just_after_counts(pbx: Pbx) -> None:
    customer = waiting(pbx)
    pbx.at(14)
    abandon(pbx, customer)
    pbx.send("HangupRequest", customer.block())
    leave(pbx, customer)
    pbx.hangup(customer)
    assert reasons(pbx) == [("sales", "abandoned")]


@pytest.mark.parametrize("dial_end", ["late", "lost"])
def test_leaving_before_the_answer_is_told_is_answered_all_the_same(pbx: Pbx, dial_end: str) -> None:
    customer = waiting(pbx)
    _, phone = pbx.offer(customer, "sales", "1001")
    pbx.at(14).up(phone)
    leave(pbx, customer)
    if dial_end == "late":
        pbx.dial_end(customer, phone, "ANSWER")
    pbx.send(
        "AgentConnect", customer.block(), phone.block("Dest"), Queue="sales", Interface="PJSIP/1001", MemberName="x"
    )
    pbx.bridge(phone, customer)
    assert reasons(pbx) == [("sales", "answered")]
    assert pbx.one(events.CallDequeued).agent_id == "1001"


def test_a_customer_who_hangs_up_behind_a_local_channel_in_a_queue_abandons(pbx: Pbx) -> None:
    """Of the Local channel's far end, which waits, nobody requests to hang up."""
    customer, agent, bridge = pbx.at(10).queue_call("support", "1002")
    one, two = pbx.local("801", of=customer)
    pbx.leave(agent)
    pbx.hangup(agent)
    pbx.enter(one, bridge)
    pbx.at(20).join(two, "sales")
    pbx.at(25).send("HangupRequest", customer.block())
    pbx.leave(customer)
    pbx.hangup(one)
    abandon(pbx, two)
    leave(pbx, two)
    pbx.hangup(two, customer)
    assert reasons(pbx) == [("support", "answered"), ("sales", "abandoned")]


def test_an_agent_who_moves_to_the_consultation_before_leaving_the_customer_consults() -> None:
    """BridgeEnter overtook BridgeLeave."""
    pbx = Pbx()
    pbx.member("1001", "sales")
    pbx.member("1002", "sales")
    customer, agent, bridge = pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).hold(agent)
    one, _ = pbx.local("1002", of=agent)
    other = pbx.bridge(one)
    pbx.enter(agent, other)
    pbx.send("BridgeLeave", agent.block(), BridgeUniqueid=bridge)
    assert pbx.states("1001")[-1] == "consult dialing"
    assert pbx.one(events.TransferRequested).call_id == customer.uid
