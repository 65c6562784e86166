"""Transfers on Asterisk, blind and by REFER with Replaces: every way they are made and every way they end."""

from __future__ import annotations

import pytest

from shared import events
from tests.asteriskkit import Chan, Pbx
from tests.asterisktransfers import floor, talking, times


@pytest.fixture
def pbx() -> Pbx:
    return floor()


# ---------------------------------------------------------------- blind


def test_blind_to_an_agent_is_bridged_when_the_target_answers(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "1002")
    target = pbx.dial(customer, "1002")
    pbx.at(23).answer(customer, target)
    pbx.at(30).hang_up_by(target, customer)
    assert times(pbx) == {"requested": 20, "ringing": 20, "answered": 23, "bridged": 23, "released": 20}
    asked = pbx.one(events.TransferRequested)
    assert (asked.kind, asked.from_agent, asked.to_agent, asked.call_id) == ("blind", "1001", "1002", customer.uid)
    assert pbx.one(events.TransferBridged).to_agent == "1002"
    assert pbx.states("1001")[-1] == "agent cleared transferred"
    assert pbx.states("1002") == ["agent ringing", "agent talking", "agent cleared hangup"]
    assert {leg.call_id for leg in pbx.told(events.LegStarted)} == {customer.uid}


def test_blind_to_a_queue_is_bridged_when_an_agent_of_that_queue_answers(pbx: Pbx) -> None:
    other = pbx.customer()
    pbx.join(other, "support", "802")
    pbx.hang_up_by(other)
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "802")
    pbx.join(customer, "support", "802")
    offered = pbx.at(22).offer(customer, "support", "1003")
    pbx.at(25).connect(customer, "support", offered)
    asked = pbx.one(events.TransferRequested)
    assert (asked.kind, asked.to_queue) == ("queue", "support")
    assert times(pbx) == {"requested": 20, "ringing": 22, "answered": 25, "bridged": 25, "released": 20}
    assert pbx.one(events.TransferBridged).to_agent == "1003"


@pytest.mark.parametrize(
    ("status", "reason"), [("BUSY", "busy"), ("NOANSWER", "no answer"), ("CHANUNAVAIL", "not reachable")]
)
def test_blind_to_somebody_who_cannot_be_reached_fails_with_the_reason(pbx: Pbx, status: str, reason: str) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "1002")
    target = pbx.dial(customer, "1002")
    pbx.at(28).refuse(customer, target, status)
    pbx.hangup(customer)
    ended = pbx.one(events.TransferEnded)
    assert (ended.outcome, ended.reason) == ("failed", reason)
    assert not pbx.told(events.TransferBridged)


def test_blind_whose_customer_hangs_up_while_it_rings_is_abandoned(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "1002")
    target = pbx.dial(customer, "1002")
    pbx.at(22).send("HangupRequest", customer.block())
    pbx.dial_end(customer, target, "CANCEL")
    pbx.hangup(target, customer)
    assert pbx.one(events.TransferEnded).outcome == "abandoned"
    assert pbx.states("1002") == ["agent ringing", "agent cleared cancelled"]


def test_blind_to_a_queue_where_the_customer_gives_up_is_abandoned(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "801")
    pbx.join(customer, "sales")
    pbx.at(25).send("HangupRequest", customer.block())
    pbx.send("QueueCallerAbandon", customer.block(), Queue="sales", Position=1, OriginalPosition=1, HoldTime=5)
    pbx.send("QueueCallerLeave", customer.block(), Queue="sales", Position=1, Count=0)
    pbx.hangup(customer)
    assert [left.reason for left in pbx.told(events.CallDequeued)] == ["answered", "abandoned"]
    assert pbx.one(events.TransferEnded).outcome == "abandoned"


def test_blind_that_rings_out_and_falls_through_to_a_queue_is_bridged_there(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "1002")
    pbx.at(28).refuse(customer, pbx.dial(customer, "1002"), "NOANSWER")
    pbx.join(customer, "support", "802")
    pbx.at(33).connect(customer, "support", pbx.offer(customer, "support", "1003"))
    assert times(pbx)["bridged"] == 33
    assert not pbx.told(events.TransferEnded)


def test_blind_that_the_switch_refuses_fails_and_the_agent_talks_on(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "1002", result="Not Permitted")
    assert pbx.one(events.TransferEnded).reason == "not permitted"
    assert pbx.states("1001") == ["agent ringing", "agent talking"]


def test_blind_by_feature_code_starts_with_its_first_digit(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).send("DTMFEnd", agent.block(), Digit="#", Direction="Received")
    pbx.at(20.1).send("DTMFEnd", agent.block(), Digit="1", Direction="Received")
    pbx.at(20.2).hold(agent)
    pbx.at(23).blind(agent, customer, "1002")
    assert times(pbx)["requested"] == 20


def test_a_packet_sent_twice_without_stamps_transfers_once() -> None:
    pbx = Pbx(stamps=False)
    pbx.member("1001", "sales")
    customer, agent, _ = talking(pbx)
    pbx.unhold(agent)
    for _ in range(2):
        pbx.send(
            "BlindTransfer", agent.block("Transferer"), customer.block("Transferee"), Result="Success", Extension="1002"
        )
    assert len(pbx.told(events.TransferRequested)) == 1


# ---------------------------------------------------------------- attended by REFER with Replaces


def consult(pbx: Pbx, agent: Chan, target: str = "1002") -> tuple[Chan, Chan]:
    """1001 holds and calls `target` on a second line, which rings: the second line and the target's phone."""
    pbx.hold(agent)
    second = pbx.new("PJSIP/1001", "1001", exten=target, state=4)
    return second, pbx.dial(second, target)


def test_refer_with_replaces_moves_the_target_into_the_customers_call(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    second, target = consult(pbx.at(20), agent)
    pbx.at(22).answer(second, target)
    pbx.at(32).refer(agent, second, target, customer)
    assert times(pbx) == {"requested": 20, "ringing": 20, "answered": 22, "bridged": 32, "released": 32}
    assert pbx.states("1002") == ["internal ringing", "internal talking", "agent moved"]
    moved = pbx.one(events.LegMoved)
    assert (moved.call_id, moved.from_call_id) == (customer.uid, second.uid)
    assert pbx.states("1001") == [
        *("agent ringing", "agent talking", "agent held", "consult dialing", "consult talking"),
        *("agent cleared transferred", "consult cleared transferred"),
    ]
    assert pbx.told(events.CallCleared)[-1].call_id == second.uid


def test_a_consultation_that_the_agent_ends_is_cancelled(pbx: Pbx) -> None:
    _customer, agent, _ = talking(pbx)
    second, target = consult(pbx.at(20), agent)
    pbx.at(22).answer(second, target)
    pbx.at(29).hang_up_by(second, target)
    pbx.resume(agent)
    assert pbx.one(events.TransferEnded).outcome == "cancelled"
    assert times(pbx)["ended"] == 29
    assert pbx.states("1001")[-2:] == ["consult cleared hangup", "agent retrieved"]


def test_a_consultation_cancelled_while_it_rings(pbx: Pbx) -> None:
    _customer, agent, _ = talking(pbx)
    second, target = consult(pbx.at(20), agent)
    pbx.at(24).send("HangupRequest", second.block())
    pbx.dial_end(second, target, "CANCEL")
    pbx.hangup(target, second)
    pbx.resume(agent)
    assert pbx.one(events.TransferEnded).outcome == "cancelled"


@pytest.mark.parametrize(("status", "reason"), [("BUSY", "busy"), ("NOANSWER", "no answer")])
def test_a_consultation_whose_target_does_not_answer_fails(pbx: Pbx, status: str, reason: str) -> None:
    _customer, agent, _ = talking(pbx)
    second, target = consult(pbx.at(20), agent)
    pbx.at(23).refuse(second, target, status)
    pbx.at(24).hangup(second)
    pbx.resume(agent)
    ended = pbx.one(events.TransferEnded)
    assert (ended.outcome, ended.reason) == ("failed", reason)


def test_a_customer_who_hangs_up_during_the_consultation_abandons_the_transfer(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    second, target = consult(pbx.at(20), agent)
    pbx.at(22).answer(second, target)
    pbx.at(25).complete("sales", "PJSIP/1001", reason="caller")
    pbx.hang_up_by(customer, agent)
    assert pbx.one(events.TransferEnded).outcome == "abandoned"
    assert pbx.states("1001")[-1] == "agent cleared hangup"
    pbx.at(27).hang_up_by(second, target)
    assert pbx.states("1001")[-1] == "consult cleared hangup"
    assert len(pbx.told(events.TransferEnded)) == 1


def test_refer_while_the_target_still_rings_is_bridged_when_it_answers(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    second, target = consult(pbx.at(20), agent)
    pbx.at(22).unhold(agent)
    pbx.attended(agent, second, customer.block("Transferee"), dest="App")
    pbx.hangup(agent, second)
    pbx.leave(customer)
    pbx.at(26).answer(customer, target)
    assert times(pbx) == {"requested": 20, "ringing": 20, "answered": 26, "bridged": 26, "released": 22}
    assert pbx.states("1002")[-1] == "agent talking"


def test_a_consultation_with_a_queue_is_answered_by_its_agent(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).hold(agent)
    second = pbx.new("PJSIP/1001", "1001", exten="802", state=4)
    pbx.up(second)
    pbx.join(second, "support", "802")
    assert pbx.states("1001")[-1] == "consult dialing"
    offered = pbx.at(21).offer(second, "support", "1003")
    pbx.at(24).connect(second, "support", offered)
    pbx.at(30).refer(agent, second, offered[1], customer)
    assert times(pbx) == {"requested": 20, "ringing": 21, "answered": 24, "bridged": 30, "released": 30}
    assert pbx.states("1003")[-1] == "agent moved"


def test_refer_while_the_queue_has_not_answered_puts_the_customer_in_it(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).hold(agent)
    second = pbx.new("PJSIP/1001", "1001", exten="802", state=4)
    pbx.up(second)
    pbx.join(second, "support", "802")
    pbx.at(23).attended(agent, second, customer.block("Transferee"), dest="App")
    pbx.hangup(agent, second)
    pbx.leave(customer)
    pbx.at(28).connect(customer, "support", pbx.offer(customer, "support", "1003"))
    visits = [(visit.call_id, visit.queue, visit.reason) for visit in pbx.told(events.CallDequeued)]
    assert visits[1:] == [(second.uid, "support", "moved"), (customer.uid, "support", "answered")]
    found = times(pbx)
    assert (found["requested"], found["bridged"]) == (20, 28)


def test_the_second_line_may_be_gone_before_the_switch_says_attended_transfer(pbx: Pbx) -> None:
    """The switch's threads race: the consulting line's Hangup can overtake AttendedTransfer."""
    customer, agent, bridge = talking(pbx)
    second, target = consult(pbx.at(20), agent)
    pbx.at(22).answer(second, target)
    pbx.at(30).leave(target)
    pbx.leave(agent)
    pbx.hangup(second)
    pbx.enter(target, bridge)
    pbx.attended(agent, second, customer.block("Transferee"))
    pbx.hangup(agent)
    assert not pbx.told(events.TransferEnded)
    assert times(pbx)["bridged"] == 30
    assert len(pbx.told(events.TransferRequested)) == 1


# ---------------------------------------------------------------- members behind Local channels


def test_a_member_behind_a_local_channel_transfers_to_a_queue() -> None:
    """The Local channel joins the queue under a new Uniqueid; it is still the customer's call."""
    pbx = Pbx()
    interface = "Local/1007@agents/n"
    pbx.member("1007", "support", interface=interface)
    pbx.member("1002", "sales")
    customer = pbx.at(5).customer()
    pbx.join(customer, "support", "802")
    offered = pbx.offer(customer, "support", "1007", interface)
    pbx.at(10).connect(customer, "support", offered, interface)
    two = pbx.twos[offered[0].uid]
    pbx.at(20).blind(offered[1], two, "801")
    pbx.join(two, "sales")
    again = pbx.at(22).offer(two, "sales", "1002")
    pbx.at(25).connect(two, "sales", again)
    assert [joined.call_id for joined in pbx.told(events.CallQueued)] == [customer.uid, customer.uid]
    assert {leg.call_id for leg in pbx.told(events.LegStarted)} == {customer.uid}
    assert times(pbx)["bridged"] == 25
    assert [(wrap.agent_id, wrap.queue) for wrap in pbx.told(events.WrapStarted)] == [("1007", "support")]
    pbx.at(40).complete("support", interface, reason="caller")
    assert len(pbx.told(events.WrapStarted)) == 1


def test_a_member_behind_a_local_channel_transfers_by_refer() -> None:
    pbx = Pbx()
    interface = "Local/1007@agents/n"
    pbx.member("1007", "support", interface=interface)
    pbx.member("1002", "sales")
    customer = pbx.at(5).customer()
    pbx.join(customer, "support", "802")
    offered = pbx.offer(customer, "support", "1007", interface)
    pbx.at(10).connect(customer, "support", offered, interface)
    one, phone = offered
    two = pbx.twos[one.uid]
    pbx.at(20).hold(phone)
    second = pbx.new("PJSIP/1007", "1007", exten="1002", state=4)
    target = pbx.dial(second, "1002")
    side = pbx.at(22).answer(second, target)
    pbx.at(30).unhold(phone)
    pbx.leave(two)
    pbx.leave(second)
    pbx.enter(two, side, SwapUniqueid=second.uid)
    pbx.leave(phone)
    pbx.attended(phone, second, two.block("Transferee"), target.block("TransferTarget"))
    pbx.hangup(phone, second)
    assert times(pbx)["bridged"] == 30
    assert pbx.states("1002")[-1] == "agent moved"
    assert pbx.one(events.WrapStarted).agent_id == "1007"


# ---------------------------------------------------------------- targets that are found out later, or never


def test_the_target_is_told_again_when_it_is_known(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "850")
    pbx.join(customer, "support", "850")
    asked = pbx.told(events.TransferRequested)
    assert [(one.kind, one.to_queue, one.to_number) for one in asked] == [
        ("blind", "", "850"),
        ("queue", "support", "850"),
    ]
    assert len({one.transfer_id for one in asked}) == 1


def test_a_consultation_with_a_phone_that_is_not_there_fails(pbx: Pbx) -> None:
    _, agent, _ = talking(pbx)
    pbx.at(20).hold(agent)
    second = pbx.new("PJSIP/1001", "1001", exten="1009", state=4)
    pbx.hangup(second, cause=20)
    assert pbx.one(events.TransferRequested).to_number == "1009"
    assert pbx.one(events.TransferEnded).reason == "not reachable"


def test_a_transfer_to_a_queue_may_come_back_to_the_agent_who_asked(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "801")
    pbx.join(customer, "sales")
    pbx.at(26).connect(customer, "sales", pbx.offer(customer, "sales", "1001"))
    assert pbx.one(events.TransferBridged).to_agent == "1001"


def test_a_blind_transfer_that_the_dialplan_returns_to_the_agent_failed(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    pbx.at(20).blind(agent, customer, "1002")
    pbx.at(28).refuse(customer, pbx.dial(customer, "1002"), "NOANSWER")
    pbx.at(30).answer(customer, pbx.dial(customer, "1001"))
    assert pbx.one(events.TransferEnded).reason == "returned to the agent"
