"""Agents' other calls, listens, and coming to a floor that runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared import events
from shared.siteconfig import AgentConfig, QueueConfig, SiteConfig
from tests.asteriskkit import CONFIG, START, Pbx


@pytest.fixture
def pbx() -> Pbx:
    return Pbx()


# ---------------------------------------------------------------- other calls of agents


def test_an_agents_own_call_to_the_outside(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    phone = pbx.at(10).new("PJSIP/1001", "1001", exten="+4568163778", state=4)
    assert not pbx.told(events.LegStarted)
    outside = pbx.new("PJSIP/carrier", "+4568163778", of=phone)
    pbx.ring(phone, outside)
    pbx.at(14).answer(phone, outside)
    pbx.at(20).hang_up_by(outside, phone)
    assert pbx.states("1001") == ["agent dialing", "agent talking", "agent cleared hangup"]
    assert pbx.one(events.CallStarted).direction == "outbound"
    assert not pbx.told(events.WrapStarted)
    assert not pbx.told(events.TransferRequested)


def test_a_call_between_colleagues_is_internal(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.member("1002", "sales")
    phone = pbx.at(10).new("PJSIP/1001", "1001", exten="1002", state=4)
    other = pbx.dial(phone, "1002")
    pbx.at(12).answer(phone, other)
    pbx.at(15).hang_up_by(phone, other)
    assert pbx.states("1001") == ["internal dialing", "internal talking", "internal cleared hangup"]
    assert pbx.states("1002") == ["internal ringing", "internal talking", "internal cleared hangup"]
    assert pbx.one(events.CallCleared).call_id == phone.uid


def test_a_feature_code_is_no_call(pbx: Pbx) -> None:
    pbx.member("1004", "sales")
    phone = pbx.at(10).new("PJSIP/1004", "1004", exten="*45801", state=4)
    pbx.up(phone)
    pbx.at(10.5).hangup(phone)
    assert not pbx.told(events.LegStarted)


def test_a_phone_in_a_call_becomes_an_agents_when_it_logs_on(pbx: Pbx) -> None:
    customer = pbx.at(5).customer()
    phone = pbx.dial(customer, "1001")
    pbx.at(7).answer(customer, phone)
    assert not pbx.told(events.LegStarted)
    pbx.at(9).member("1001", "sales")
    assert pbx.states("1001") == ["agent talking"]


# ---------------------------------------------------------------- listening


@pytest.mark.parametrize("spy", ["PJSIP/1040", "AudioSocket/10.0.0.9:9092", "WebSocket/mediaout", "Snoop/x"])
def test_a_listener_is_no_call_and_the_call_goes_on(pbx: Pbx, spy: str) -> None:
    pbx.member("1001", "sales")
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    before = list(pbx.story(events.LegStarted, events.CallStarted))
    listener = pbx.at(12).new(spy, "1040")
    pbx.ring(None, listener)
    pbx.up(listener)
    pbx.send("ChanSpyStart", listener.block("Spyer"), agent.block("Spyee"))
    started = pbx.one(events.ListenStarted)
    assert (started.agent_id, started.call_id, started.listener) == ("1001", customer.uid, "1040")
    pbx.at(15).send("ChanSpyStop", listener.block("Spyer"), agent.block("Spyee"))
    pbx.hangup(listener)
    assert pbx.one(events.ListenEnded).listen_id == started.listen_id
    assert list(pbx.story(events.LegStarted, events.CallStarted)) == before
    assert pbx.states("1001") == ["agent ringing", "agent talking"]


def test_an_inspector_who_is_an_agent_too_is_not_in_a_call(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.member("1002", "sales")
    customer, _, _ = pbx.at(10).queue_call("sales", "1001")
    listener = pbx.at(12).new("PJSIP/1002", "1002")
    pbx.ring(None, listener)
    pbx.up(listener)
    pbx.send("ChanSpyStart", listener.block("Spyer"), customer.block("Spyee"))
    assert pbx.states("1002")[-1].startswith("internal cleared")
    assert pbx.one(events.ListenStarted).agent_id == "1001"
    pbx.at(15).hangup(listener)
    assert len(pbx.told(events.ListenEnded)) == 1


# ---------------------------------------------------------------- coming to a floor that runs


def listing(pbx: Pbx, rows: list[tuple[str, dict[str, str]]], complete: str) -> None:
    for event, headers in rows:
        pbx.send(event, headers, ActionID="a1")
    pbx.send(complete, ActionID="a1", EventList="Complete", ListItems=len(rows))


def shown(name: str, uid: str, linked: str, **more: str) -> tuple[str, dict[str, str]]:
    headers = {
        "Channel": name,
        "ChannelState": "6",
        "CallerIDNum": "",
        "Uniqueid": uid,
        "Linkedid": linked,
        "Duration": "00:01:00",
    }
    return "CoreShowChannel", headers | more


def queue_member(agent: str, queue: str, **more: str) -> tuple[str, dict[str, str]]:
    headers = {
        "Queue": queue,
        "Name": f"Agent {agent}",
        "Location": f"PJSIP/{agent}",
        "StateInterface": f"PJSIP/{agent}",
    }
    return "QueueMember", headers | {"Paused": "0", "LastCall": "0", "InCall": "0", "Wrapuptime": "0"} | more


def test_coming_to_a_running_floor(pbx: Pbx) -> None:
    last_call = str(int((START + timedelta(seconds=97)).timestamp()))
    pbx.at(100)
    channels = [
        shown(
            "PJSIP/carrier-01",
            "1.1",
            "1.1",
            Application="Queue",
            ApplicationData="sales,tT",
            BridgeId="b1",
            CallerIDNum="+451",
        ),
        shown("PJSIP/1001-02", "1.2", "1.1", Application="AppQueue", ApplicationData="(Outgoing Line)", BridgeId="b1"),
        shown("PJSIP/carrier-03", "1.3", "1.3", Application="Queue", ApplicationData="sales,tT", CallerIDNum="+453"),
        shown(
            "PJSIP/1002-04", "1.4", "1.3", ChannelState="5", Application="AppQueue", ApplicationData="(Outgoing Line)"
        ),
    ]
    members = [
        ("QueueParams", {"Queue": "sales"}),
        queue_member("1001", "sales", InCall="1"),
        queue_member("1002", "sales"),
        queue_member("1003", "sales", LastCall=last_call),
        queue_member("1004", "sales", Paused="1", PausedReason="lunch"),
        (
            "QueueEntry",
            {"Queue": "sales", "Position": "1", "Channel": "PJSIP/carrier-03", "Uniqueid": "1.3", "Wait": "20"},
        ),
    ]
    listing(pbx, channels, "CoreShowChannelsComplete")
    listing(pbx, members, "QueueStatusComplete")
    assert pbx.states("1001") == ["agent talking"]
    assert pbx.states("1002") == ["agent ringing"]
    assert pbx.one(events.AgentNotReady).agent_id == "1004"
    wrap = pbx.one(events.WrapStarted)
    assert wrap.until is not None
    assert (wrap.agent_id, (wrap.until - START).total_seconds()) == ("1003", 103)
    assert pbx.when(events.CallQueued) == [pytest.approx(80, abs=0.01)]
    logged_on = [event for event in pbx.events if isinstance(event.data, events.AgentLoggedOn)]
    assert {event.provenance for event in logged_on} == {"inferred"}
    pbx.at(110).send("HangupRequest", shown("PJSIP/carrier-01", "1.1", "1.1")[1])
    pbx.complete("sales", "PJSIP/1001")
    assert [wrap.agent_id for wrap in pbx.told(events.WrapStarted)] == ["1003", "1001"]


def test_a_listing_ends_ghosts_but_only_when_it_came_whole(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).send("CoreShowChannel", shown("PJSIP/x-1", "9.9", "9.9")[1], ActionID="a1")
    pbx.send("CoreShowChannelsComplete", ActionID="a1", ListItems=3)
    assert not pbx.told(events.CallCleared)
    pbx.at(30).send("CoreShowChannelsComplete", ActionID="a2", ListItems=0)
    assert len(pbx.told(events.CallCleared)) == 1
    assert pbx.states("1001")[-1] == "agent cleared hangup"


def test_a_listing_logs_off_whom_it_does_not_name_and_repeats_nothing(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.member("1002", "sales")
    before = len(pbx.events)
    pbx.at(5)
    rows = [("QueueParams", {"Queue": "sales"}), queue_member("1001", "sales")]
    listing(pbx, rows, "QueueStatusComplete")
    assert [event.data for event in pbx.events[before:]] == [
        events.AgentLoggedOff(agent_id="1002"),
        events.AgentSeen(agent_id="1001"),
        events.Snapshot(connector="test", agents=("1001",), queues={"sales": ()}),
    ]


def test_configured_agents_that_no_queue_has_are_off() -> None:
    pbx = Pbx(SiteConfig(agents={"1001": AgentConfig(name="Anna"), "1002": AgentConfig()}))
    listing(pbx, [("QueueParams", {"Queue": "sales"}), queue_member("1001", "sales")], "QueueStatusComplete")
    assert pbx.one(events.AgentLoggedOff).agent_id == "1002"


def test_the_switch_shuts_down(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    pbx.at(10).queue_call("sales", "1001")
    pbx.at(11).send("Shutdown", Shutdown="Cleanly", Restart="False")
    assert pbx.one(events.CallCleared).cleared_by == "switch"


def test_a_packet_after_the_hangup_revives_nothing(pbx: Pbx) -> None:
    pbx.member("1001", "sales")
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).hang_up_by(customer, agent)
    before = len(pbx.events)
    pbx.at(20.5).send("BridgeEnter", agent.block(), BridgeUniqueid="bridge-9")
    pbx.send("Newstate", agent.block())
    pbx.send("DialBegin", customer.block(), agent.block("Dest"))
    assert len(pbx.events) == before
    assert not pbx.adapter._state.channels


def test_default_queue_settings_give_wrap_to_unknown_queues() -> None:
    pbx = Pbx(SiteConfig(default_queue=QueueConfig(wrap_up_s=20), queues=CONFIG.queues))
    pbx.member("1001", "night")
    customer, agent, _ = pbx.at(10).queue_call("night", "1001")
    pbx.at(20).hang_up_by(customer, agent)
    until = pbx.one(events.WrapStarted).until
    assert until is not None
    assert (until - START).total_seconds() == pytest.approx(40, abs=0.01)
