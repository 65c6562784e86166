"""Packets with and without a stamp on one clock, whatever ours shows."""

from __future__ import annotations

import pytest

from services.ingest.adapters.asterisk import AsteriskAdapter
from shared import events
from tests.asteriskkit import CONFIG, Pbx

SKEWS = [3600.5, 30.0, 0.05, -30.0, -3600.5]


def listed(pbx: Pbx, *agents: str, **more: str) -> None:
    """The answer to QueueStatus."""
    pbx.reply("QueueParams", Queue="sales", Calls=0)
    for agent in agents:
        headers = {"Status": "1", "Paused": "0", "Wrapuptime": "0", "LastCall": "0", "InCall": "0", **more}
        pbx.reply("QueueMember", Queue="sales", Name=f"Agent {agent}", Location=f"PJSIP/{agent}", **headers)
    pbx.reply("QueueStatusComplete", EventList="Complete", ListItems=len(agents) + 1)


@pytest.mark.parametrize("skew", SKEWS)
def test_an_answer_is_placed_on_the_switchs_clock(skew: float) -> None:
    pbx = Pbx()
    pbx.ahead = skew
    pbx.at(1).send("PeerStatus", Peer="PJSIP/1001")
    pbx.at(5)
    listed(pbx, "1001")
    assert pbx.when(events.AgentLoggedOn) == pytest.approx([5], abs=0.01)


@pytest.mark.parametrize("skew", SKEWS)
def test_a_pause_after_an_answer_is_not_taken_for_an_old_word(skew: float) -> None:
    pbx = Pbx()
    pbx.ahead = skew
    pbx.member("1001", "sales")
    pbx.at(5)
    listed(pbx, "1001")
    pbx.at(5.001).member("1001", "sales", event="Pause", Paused=1, PausedReason="lunch")
    pbx.at(6).send("QueueMemberRemoved", Queue="sales", Interface="PJSIP/1001")
    assert pbx.one(events.AgentNotReady).reason == "lunch"
    assert pbx.when(events.AgentLoggedOff) == [6]


@pytest.mark.parametrize("skew", SKEWS)
def test_answers_before_the_first_stamp_wait_for_it(skew: float) -> None:
    pbx = Pbx()
    pbx.ahead = skew
    pbx.at(1)
    listed(pbx, "1001")
    assert pbx.events == []
    pbx.at(1.5).send("PeerStatus", Peer="PJSIP/1001")
    assert pbx.when(events.AgentLoggedOn) == pytest.approx([1], abs=0.01)
    pbx.at(1.6).member("1001", "sales", event="Pause", Paused=1)
    assert pbx.when(events.AgentNotReady) == [1.6]
    positions = [(event.rawpartition, event.rawoffset, event.rawindex) for event in pbx.events]
    assert positions == sorted(set(positions))


def test_the_answer_to_a_ping_tells_the_clock_as_well() -> None:
    pbx = Pbx()
    pbx.ahead = 30
    listed(pbx, "1001")
    pbx.at(0.2).send("", Response="Success", Ping="Pong", ActionID="a-2")
    assert pbx.when(events.AgentLoggedOn) == pytest.approx([0], abs=0.01)


def test_answers_do_not_wait_longer_than_a_second() -> None:
    pbx = Pbx()
    listed(pbx, "1001")
    pbx.at(1.2).reply("QueueSummary", Queue="sales")
    assert len(pbx.told(events.AgentLoggedOn)) == 1


def test_answers_do_not_wait_for_a_switch_that_stamps_nothing() -> None:
    pbx = Pbx(stamps=False)
    listed(pbx, "1001")
    pbx.at(0.1).member("1002", "sales")
    listed(pbx, "1001", "1002", "1003")
    assert [one.agent_id for one in pbx.told(events.AgentLoggedOn)] == ["1001", "1002", "1003"]


def test_waiting_answers_survive_a_checkpoint() -> None:
    pbx = Pbx()
    listed(pbx, "1001")
    saved, pbx.adapter = pbx.adapter.dump(), AsteriskAdapter("hq", CONFIG)
    pbx.adapter.load(saved)
    pbx.at(0.5).send("PeerStatus", Peer="PJSIP/1001")
    assert len(pbx.told(events.AgentLoggedOn)) == 1


def test_a_clock_that_was_set_back_between_two_sessions_makes_nothing_old() -> None:
    pbx = Pbx()
    pbx.at(3600).member("1001", "sales")
    pbx.session, pbx.ahead = "later", 3600
    pbx.at(10).member("1001", "sales", event="Pause", Paused=1)
    pbx.at(12)
    listed(pbx, "1001", "1002", Paused="1")
    assert pbx.when(events.AgentNotReady)[0] == 10
    assert pbx.when(events.AgentLoggedOn)[-1] == pytest.approx(12, abs=0.01)
