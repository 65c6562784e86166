"""Attended transfers by feature code or AMI Atxfer: the agent's own channel moves between two bridges."""

from __future__ import annotations

import pytest

from shared import events
from tests.asteriskkit import Chan, Pbx
from tests.asterisktransfers import floor, talking, times


@pytest.fixture
def pbx() -> Pbx:
    return floor()


def at_consult(pbx: Pbx, agent: Chan) -> tuple[Chan, Chan, Chan]:
    one, two, _ = pbx.atxfer(agent, "1002")
    return one, two, pbx.dial(two, "1002")


def test_feature_code_transfer_is_timed_from_the_first_digit(pbx: Pbx) -> None:
    customer, agent, bridge = talking(pbx)
    one, two, target = at_consult(pbx.at(20), agent)
    pbx.at(22).atxfer_answer(one, two, target)
    assert pbx.states("1002") == ["internal ringing", "internal talking"]
    pbx.at(32).send("HangupRequest", agent.block())
    pbx.leave(one)
    pbx.enter(one, bridge)
    pbx.attended(agent, agent, customer.block("Transferee"))
    pbx.hangup(agent)
    assert times(pbx) == {"requested": 20, "ringing": 20.4, "answered": 22, "bridged": 32, "released": 32}
    assert pbx.states("1001") == [
        *("agent ringing", "agent talking", "agent held", "consult dialing", "consult talking"),
        *("consult cleared transferred", "agent cleared transferred"),
    ]
    assert pbx.states("1002")[-1] == "agent moved"
    # the switch now takes the Local channel out from between them
    pbx.leave(target)
    pbx.leave(one)
    pbx.enter(target, bridge, SwapUniqueid=one.uid)
    pbx.hangup(one, two)
    assert pbx.states("1002")[-1] == "agent moved"
    assert len({one.transfer_id for one in pbx.told(events.TransferRequested)}) == 1
    pbx.at(40).hang_up_by(customer, target)
    assert pbx.states("1002")[-1] == "agent cleared hangup"


@pytest.mark.parametrize(
    ("status", "outcome", "reason"), [("NOANSWER", "failed", "no answer"), ("BUSY", "failed", "busy")]
)
def test_feature_code_target_out_of_reach_brings_the_agent_back(
    pbx: Pbx, status: str, outcome: str, reason: str
) -> None:
    _customer, agent, bridge = talking(pbx)
    one, two, target = at_consult(pbx.at(20), agent)
    pbx.at(26).refuse(two, target, status)
    pbx.back(agent, bridge, two, one)
    ended = pbx.one(events.TransferEnded)
    assert (ended.outcome, ended.reason) == (outcome, reason)
    assert pbx.states("1001")[-2:] == ["consult cleared hangup", "agent retrieved"]


def test_feature_code_transfer_cancelled_after_the_target_answered(pbx: Pbx) -> None:
    _customer, agent, bridge = talking(pbx)
    one, two, target = at_consult(pbx.at(20), agent)
    pbx.at(22).atxfer_answer(one, two, target)
    pbx.at(27).back(agent, bridge, one, two, target)
    assert pbx.one(events.TransferEnded).outcome == "cancelled"
    assert pbx.states("1001")[-1] == "agent retrieved"
    assert pbx.states("1002")[-1] == "internal cleared hangup"


def test_feature_code_customer_hangs_up_and_the_colleagues_talk_on(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    one, two, target = at_consult(pbx.at(20), agent)
    pbx.at(22).atxfer_answer(one, two, target)
    pbx.at(25).complete("sales", "PJSIP/1001", reason="caller")
    pbx.hang_up_by(customer)
    assert pbx.one(events.TransferEnded).outcome == "abandoned"
    assert pbx.states("1001")[-1] == "agent cleared hangup"
    assert pbx.one(events.WrapStarted).agent_id == "1001"
    pbx.at(30).hang_up_by(agent, one, two, target)
    assert pbx.states("1001")[-1] == "consult cleared hangup"
    assert len(pbx.told(events.WrapStarted)) == 1


def test_feature_code_agent_leaves_while_the_target_rings(pbx: Pbx) -> None:
    """Blond: AttendedTransfer comes at once, the bridge only when the target answers."""
    customer, agent, bridge = talking(pbx)
    one, two, target = at_consult(pbx.at(20), agent)
    pbx.at(22).send("HangupRequest", agent.block())
    pbx.leave(one)
    pbx.enter(one, bridge)
    pbx.attended(agent, agent, customer.block("Transferee"))
    pbx.hangup(agent)
    assert "bridged" not in times(pbx)
    pbx.at(25).atxfer_answer(one, two, target)
    assert times(pbx) == {"requested": 20, "ringing": 20.4, "answered": 25, "bridged": 25, "released": 22}
    assert pbx.states("1002")[-1] in ("agent moved", "agent talking")


def test_feature_code_agent_is_called_back_when_the_target_does_not_answer(pbx: Pbx) -> None:
    customer, agent, bridge = talking(pbx)
    one, two, target = at_consult(pbx.at(20), agent)
    pbx.at(22).leave(one)
    pbx.enter(one, bridge)
    pbx.attended(agent, agent, customer.block("Transferee"))
    pbx.hangup(agent)
    pbx.at(35).refuse(two, target, "NOANSWER")
    pbx.hangup(two, one)
    again = pbx.new("PJSIP/1001", "1001")
    pbx.ring(None, again)
    pbx.at(38).up(again)
    pbx.dial_end(None, again, "ANSWER")
    pbx.enter(again, bridge)
    assert pbx.one(events.TransferEnded).outcome == "failed"
    assert not pbx.told(events.TransferBridged)
    assert pbx.states("1001")[-3:] == ["internal ringing", "internal talking", "agent moved"]


def test_feature_code_three_way_is_bridged_and_the_agent_stays(pbx: Pbx) -> None:
    _customer, agent, bridge = talking(pbx)
    one, two, target = at_consult(pbx.at(20), agent)
    pbx.at(22).atxfer_answer(one, two, target)
    pbx.at(28).leave(agent)
    pbx.enter(agent, bridge)
    pbx.leave(one)
    pbx.enter(one, bridge)
    pbx.resume(agent)
    pbx.attended(agent, agent, dest="Threeway")
    assert times(pbx) == {"requested": 20, "ringing": 20.4, "answered": 22, "bridged": 28}
    assert "agent retrieved" in pbx.states("1001")
    assert pbx.states("1002")[-1] == "agent moved"
    pbx.at(33).hang_up_by(agent)
    assert times(pbx)["released"] == 33


def test_feature_code_agent_swaps_between_customer_and_target(pbx: Pbx) -> None:
    _customer, agent, bridge = talking(pbx)
    one, two, side = pbx.at(20).atxfer(agent, "1002")
    target = pbx.dial(two, "1002")
    pbx.at(22).atxfer_answer(one, two, target)
    pbx.at(25).hold(agent)
    pbx.leave(agent)
    pbx.enter(agent, bridge)
    pbx.resume(agent)
    assert pbx.states("1001")[-2:] == ["consult held", "agent retrieved"]
    pbx.at(28).hold(agent)
    pbx.leave(agent)
    pbx.enter(agent, side)
    pbx.resume(agent)
    assert pbx.states("1001")[-2:] == ["agent held", "consult retrieved"]
    assert not pbx.told(events.TransferEnded)


def test_feature_code_transfer_to_a_queue(pbx: Pbx) -> None:
    """The queue waits behind the Local channel: it answers at once, a person only later."""
    customer, agent, bridge = talking(pbx)
    one, two, _ = pbx.at(20).atxfer(agent, "802")
    pbx.up(two)
    pbx.up(one)
    pbx.join(two, "support", "802")
    assert "answered" not in times(pbx)
    pbx.at(24).connect(two, "support", pbx.offer(two, "support", "1003"))
    pbx.at(29).leave(one)
    pbx.enter(one, bridge)
    pbx.attended(agent, agent, customer.block("Transferee"))
    pbx.hangup(agent)
    found = times(pbx)
    assert (found["answered"], found["bridged"]) == (24, 29)
    assert pbx.states("1003")[-1] == "agent moved"


def test_a_feature_code_starts_the_clock_before_the_target_is_dialled(pbx: Pbx) -> None:
    _, agent, _ = talking(pbx)
    pbx.at(20).atxfer(agent, "1002")
    first, second = pbx.told(events.TransferRequested)
    assert (first.to_number, second.to_number, second.to_agent) == ("", "1002", "1002")
    assert pbx.when(events.TransferRequested)[0] == 20


def test_a_feature_code_without_a_valid_target_fails(pbx: Pbx) -> None:
    customer, agent, _ = talking(pbx)
    for digit in "*2":
        pbx.at(pbx.now + 0.1 if pbx.now >= 20 else 20).send("DTMFEnd", agent.block(), Digit=digit, Direction="Received")
    pbx.at(20.3).hold(agent)
    pbx.at(24).unhold(agent)
    assert not pbx.told(events.TransferEnded)  # the same word comes just before a transfer that works
    pbx.at(25).send("Newstate", customer.block())
    ended = pbx.one(events.TransferEnded)
    assert (ended.outcome, ended.reason) == ("failed", "no valid target")
    assert times(pbx) == {"requested": 20, "ended": 24}


def test_digits_for_somebody_elses_menu_before_a_hold_are_no_transfer(pbx: Pbx) -> None:
    _, agent, _ = talking(pbx)
    pbx.at(20).send("DTMFEnd", agent.block(), Digit="4", Direction="Received")
    pbx.at(20.2).hold(agent)
    pbx.at(25).unhold(agent)
    assert not pbx.told(events.TransferRequested)
