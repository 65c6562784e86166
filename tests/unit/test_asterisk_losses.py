"""What the adapter makes of packets that never came, and of interfaces that name no phone."""

from __future__ import annotations

import pytest

from services.ingest.adapters.asterisk.agents import agent_id_of
from shared import events
from tests.asteriskkit import START, Pbx


@pytest.fixture
def pbx() -> Pbx:
    pbx = Pbx()
    for agent in ("1001", "1002"):
        pbx.member(agent, "sales")
    return pbx


@pytest.mark.parametrize(
    ("interface", "state_interface", "agent_id"),
    [
        ("PJSIP/1001", "PJSIP/1001", "1001"),
        ("PJSIP/1001", "Custom:agent-anna", "1001"),
        ("PJSIP/1001", "hint:anna@desks", "1001"),
        ("Local/1007@agents/n", "PJSIP/1007", "1007"),
        ("Local/1007@agents/n", "Custom:1007-avail", "1007"),
        ("Local/5551007@agents/n", "hint:1007@desks", "1007"),
        ("Local/5551007@agents/n", "Agent:1007", "1007"),
        ("Local/1007@agents/n", "", "1007"),
        ("SIP/1001", "", "1001"),
        ("IAX2/anna", "IAX2/anna", "anna"),
    ],
)
def test_an_agent_is_named_by_the_phone_and_not_by_a_made_up_device_state(
    interface: str, state_interface: str, agent_id: str
) -> None:
    assert agent_id_of(interface, state_interface) == agent_id


@pytest.mark.parametrize("told_by", ["device", "member"])
def test_a_lost_hangup_is_made_good_when_the_phone_is_free(pbx: Pbx, told_by: str) -> None:
    def status(in_use: bool) -> None:
        if told_by == "device":
            pbx.send("DeviceStateChange", Device="PJSIP/1001", State="INUSE" if in_use else "NOT_INUSE")
        else:
            pbx.member("1001", "sales", event="Status", Status=2 if in_use else 1)

    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    status(True)
    pbx.at(20).leave(agent)
    pbx.leave(customer)
    assert not pbx.told(events.LegCleared)
    status(False)
    assert pbx.states("1001")[-1] == "agent cleared hangup"
    assert pbx.when(events.LegCleared) == pytest.approx([20], abs=0.01)


def test_a_phone_that_is_never_said_to_be_in_use_is_not_cleared(pbx: Pbx) -> None:
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    pbx.offer(customer, "sales", "1001")
    pbx.at(15).member("1001", "sales", event="Status", Status=1)
    assert pbx.states("1001") == ["agent ringing"]


def test_a_late_device_state_does_not_end_the_next_ring(pbx: Pbx) -> None:
    pbx.at(9).send("DeviceStateChange", Device="PJSIP/1001", State="INUSE")
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    pbx.offer(customer, "sales", "1001")
    pbx.at(10.1).send("DeviceStateChange", Device="PJSIP/1001", State="NOT_INUSE")
    assert pbx.states("1001") == ["agent ringing"]


def test_an_attended_transfer_is_bridged_though_the_targets_move_was_lost(pbx: Pbx) -> None:
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).hold(agent)
    second = pbx.new("PJSIP/1001", "1001", exten="1002", state=4)
    target = pbx.dial(second, "1002")
    pbx.at(22).answer(second, target)
    pbx.at(30).leave(target)
    pbx.leave(agent)
    pbx.leave(second)
    pbx.attended(agent, second, customer.block("Transferee"), target.block("TransferTarget"))
    pbx.hangup(agent, second)
    bridged = pbx.one(events.TransferBridged)
    assert bridged.to_agent == "1002"
    assert pbx.when(events.TransferBridged) == pytest.approx([30], abs=0.01)
    assert not pbx.told(events.TransferEnded)


def test_a_shorter_wrap_does_not_cut_a_longer_one_of_another_queue() -> None:
    pbx = Pbx()
    for queue in ("sales", "support"):
        pbx.member("1001", queue)
    for begin, end, queue in ((10, 20, "support"), (23, 23.5, "sales")):
        customer, agent, _ = pbx.at(begin).queue_call(queue, "1001")
        pbx.at(end).hang_up_by(customer, agent)
    until = [(wrap.until - START).total_seconds() for wrap in pbx.told(events.WrapStarted) if wrap.until]
    assert until == pytest.approx([30, 30], abs=0.01)


def test_a_ring_that_the_queue_gives_up_stays_in_its_call_until_the_phone_is_let_go() -> None:
    pbx = Pbx()
    interface = "Local/1007@agents/n"
    pbx.member("1007", "sales", interface=interface)
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    one, phone = pbx.offer(customer, "sales", "1007", interface)
    pbx.at(18).dial_end(customer, one, "NOANSWER")
    pbx.hangup(one)
    pbx.at(18.01).dial_end(pbx.twos[one.uid], phone, "CANCEL")
    pbx.hangup(phone, pbx.twos[one.uid])
    assert pbx.states("1007") == ["agent ringing", "agent cleared cancelled"]
    assert len(pbx.told(events.CallStarted)) == 1
