"""Who listens, as Asterisk tells it: the life of a listening leg, its ticket, and listens that began before we came."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID, uuid5

import pytest

from services.ingest.adapters.asterisk.listens import ticket_of
from shared import events
from shared.clock import EPOCH
from tests.asteriskkit import START, Chan, Pbx
from tests.asterisklisteners import PLACE, leg, spyee

FORK = "40325ec2-5efd-4bd3-805f-53576e581d13"
T0 = START.timestamp()


def forks(number: int) -> list[str]:
    return [str(uuid5(UUID(FORK), str(one))) for one in range(number)]


def feed(pbx: Pbx, packets: list[tuple[float, dict[str, str]]]) -> None:
    for received, headers in packets:
        pbx.feed(json.dumps(headers).encode(), EPOCH + timedelta(seconds=received))


def whom(chan: Chan) -> dict[str, str]:
    return spyee(chan.block())


@pytest.fixture
def pbx() -> Pbx:
    pbx = Pbx()
    pbx.member("1001", "sales")
    pbx.member("1002", "sales")
    return pbx


@pytest.mark.parametrize("side", ["agent", "customer"])
@pytest.mark.parametrize(("options", "digits"), [("quDES", ""), ("qudES", "546"), ("quwES", ""), ("quBES", "")])
def test_a_listening_leg_tells_of_a_listener_and_of_nothing_else(
    pbx: Pbx, side: str, options: str, digits: str
) -> None:
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    before = len(pbx.events)
    feed(pbx, leg(FORK, whom(agent if side == "agent" else customer), T0 + 20, T0 + 30, options=options, digits=digits))
    started, ended = pbx.events[before:]
    assert isinstance(started.data, events.ListenStarted)
    assert isinstance(ended.data, events.ListenEnded)
    assert (started.data.agent_id, started.data.call_id, started.data.ticket) == ("1001", customer.uid, FORK)
    assert started.data.listener == f"AudioSocket/{PLACE}"
    assert ended.data.listen_id == started.data.listen_id
    assert started.time == START + timedelta(seconds=20.12)
    assert pbx.states("1001") == ["agent ringing", "agent talking"]


def test_nothing_of_a_listening_leg_stays(pbx: Pbx) -> None:
    _, agent, _ = pbx.at(10).queue_call("sales", "1001")
    state = pbx.adapter._state
    before = (len(state.channels), len(state.calls), len(state.legs), dict(state.in_use))
    for fork in forks(5):
        feed(pbx, leg(fork, whom(agent), T0 + 20, T0 + 30))
    assert (len(state.channels), len(state.calls), len(state.legs), dict(state.in_use)) == before
    assert not state.listens


def test_a_listener_who_leaves_as_a_call_is_resumed_moves_no_moment_of_it(pbx: Pbx) -> None:
    """That an Unhold was no transfer's is known a moment later, and then put after what was told meanwhile."""
    _, agent, _ = pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).send("Hold", agent.block())
    spied = leg(FORK, whom(agent), T0 + 21, T0 + 30.01)
    feed(pbx, [one for one in spied if one[0] < T0 + 30])
    pbx.at(30).send("Unhold", agent.block())
    feed(pbx, [one for one in spied if one[0] > T0 + 30])
    pbx.at(31).send("PeerStatus", Peer="PJSIP/1")
    assert pbx.told(events.ListenEnded)
    assert pbx.when(events.LegRetrieved) == pytest.approx([30], abs=0.001)


@pytest.mark.parametrize(
    ("uid", "ticket"),
    [
        (f"listen-{FORK}", FORK),
        (f"listen-{FORK.upper()}", FORK),
        ("listen-40325ec2", ""),
        (f"listen-{FORK}-1", ""),
        (f"x-listen-{FORK}", ""),
        (FORK, ""),
        ("1795316939.61", ""),
        ("", ""),
    ],
)
def test_the_ticket_is_the_fork_in_the_channel_id_that_we_chose(uid: str, ticket: str) -> None:
    assert ticket_of(uid) == ticket


def test_a_phone_that_listens_has_no_ticket_and_its_number(pbx: Pbx) -> None:
    _, agent, _ = pbx.at(10).queue_call("sales", "1001")
    phone = pbx.at(12).new("PJSIP/1040", "1040", state=6)
    pbx.send("ChanSpyStart", phone.block("Spyer"), agent.block("Spyee"))
    assert (pbx.one(events.ListenStarted).listener, pbx.one(events.ListenStarted).ticket) == ("1040", "")


def test_an_agents_phone_that_listens_is_in_no_call_from_then_on(pbx: Pbx) -> None:
    customer, _, _ = pbx.at(10).queue_call("sales", "1001")
    phone = pbx.at(12).new("PJSIP/1002", "1002")
    pbx.ring(None, phone)
    pbx.up(phone)
    pbx.at(13).send("ChanSpyStart", phone.block("Spyer"), customer.block("Spyee"))
    assert pbx.states("1002")[-1].startswith("internal cleared")
    assert pbx.one(events.CallCleared).call_id == phone.uid, "the ringing of it is over, too"
    before = len(pbx.events)
    pbx.at(14).send("Newstate", phone.block())
    pbx.send("DTMFEnd", phone.block(), Digit="5", Direction="Received")
    pbx.send("DeviceStateChange", Device="PJSIP/1002", State="INUSE")
    pbx.at(20).send("ChanSpyStop", phone.block("Spyer"), customer.block("Spyee"))
    pbx.hangup(phone)
    pbx.send("DeviceStateChange", Device="PJSIP/1002", State="NOT_INUSE")
    assert [type(event.data) for event in pbx.events[before:]] == [events.ListenEnded]
    assert "1002" in pbx.adapter._state.agents


def test_an_agent_who_dials_a_code_to_listen_is_in_no_call_at_all(pbx: Pbx) -> None:
    customer, _, _ = pbx.at(10).queue_call("sales", "1001")
    before = len(pbx.events)
    phone = pbx.at(12).new("PJSIP/1002", "1002", exten="*55", state=4)
    pbx.up(phone)
    pbx.send("ChanSpyStart", phone.block("Spyer"), customer.block("Spyee"))
    pbx.at(20).send("ChanSpyStop", phone.block("Spyer"), customer.block("Spyee"))
    pbx.hangup(phone)
    assert [type(event.data) for event in pbx.events[before:]] == [events.ListenStarted, events.ListenEnded]


# ---------------------------------------------------------------- listens that began before we came


def listing(pbx: Pbx, *rows: dict[str, str]) -> None:
    for row in rows:
        pbx.reply("CoreShowChannel", row)
    pbx.reply("CoreShowChannelsComplete", EventList="Complete", ListItems=len(rows))


def row(chan: Chan, application: str, data: str = "", bridge: str = "") -> dict[str, str]:
    found = chan.block() | {"Application": application, "ApplicationData": data, "Duration": "00:01:00"}
    return found | ({"BridgeId": bridge} if bridge else {})


def queues(pbx: Pbx, *agents: str) -> None:
    pbx.reply("QueueParams", Queue="sales")
    for agent in agents:
        pbx.reply(
            *("QueueMember",),
            Queue="sales",
            Name=f"Agent {agent}",
            Location=f"PJSIP/{agent}",
            StateInterface=f"PJSIP/{agent}",
            Paused=0,
            PausedReason="",
            Wrapuptime=0,
            LastCall=0,
            InCall=0,
            Status=2,
        )
    pbx.reply("QueueStatusComplete", EventList="Complete", ListItems=1 + len(agents))


def running(named: str) -> tuple[Chan, Chan, Chan, list[dict[str, str]]]:
    """A floor that runs already: customer, agent's phone, listener, and the listing of them. `named` is how ChanSpy was told."""
    customer = Chan("PJSIP/carrier-00000001", "9.1", "9.1", "+451", "500", 6)
    agent = Chan("PJSIP/1001-00000002", "9.2", "9.1", "1001", "", 6)
    spy = Chan(f"AudioSocket/{PLACE}-{FORK}", f"listen-{FORK}", f"listen-{FORK}", "listen", "s", 6)
    named = {"name": agent.name, "uid": agent.uid, "prefix": "PJSIP/1001", "other": "PJSIP/10"}[named]
    rows = [
        row(customer, "Queue", "sales,tT", "b"),
        row(agent, "AppQueue", "(Outgoing Line)", "b"),
        row(spy, "ChanSpy", f"{named},quDES"),
    ]
    return customer, agent, spy, rows


@pytest.mark.parametrize("named", ["name", "uid", "prefix", "other"])
def test_a_listen_that_runs_when_we_come_is_told_by_the_listing(named: str) -> None:
    pbx = Pbx()
    customer, agent, spy, rows = running(named)
    pbx.at(1).send("PeerStatus", Peer="PJSIP/1")
    listing(pbx, *rows)
    assert not pbx.told(events.ListenStarted), "whose phones these are is not known yet"
    queues(pbx, "1001", "1002")
    started = pbx.one(events.ListenStarted)
    assert (started.agent_id, started.call_id, started.ticket) == ("1001", customer.uid, FORK)
    assert [event.provenance for event in pbx.events if isinstance(event.data, events.ListenStarted)] == ["inferred"]
    listing(pbx, *rows)
    queues(pbx, "1001", "1002")
    assert len(pbx.told(events.ListenStarted)) == 1, "once"
    pbx.at(9).send("ChanSpyStop", spy.block("Spyer"), agent.block("Spyee"))
    pbx.hangup(spy)
    assert pbx.one(events.ListenEnded).listen_id == started.listen_id


def test_a_listen_that_runs_through_a_lost_link_is_told_again(pbx: Pbx) -> None:
    customer, agent, _ = pbx.at(10).queue_call("sales", "1001")
    feed(pbx, leg(FORK, whom(agent), T0 + 20, T0 + 99)[:-8])
    assert len(pbx.told(events.ListenStarted)) == 1
    assert not pbx.told(events.ListenEnded)
    pbx.at(40).session = "another"
    spy = Chan(f"AudioSocket/{PLACE}-{FORK}", f"listen-{FORK}", f"listen-{FORK}", "listen", "s", 6)
    listing(
        pbx,
        *(row(customer, "Queue", "sales,tT", agent.bridge), row(agent, "AppQueue", "(Outgoing Line)", agent.bridge)),
        row(spy, "ChanSpy", f"{agent.name},quDES"),
    )
    again = pbx.told(events.ListenStarted)
    assert len(again) == 2
    assert again[0] == again[1]


def test_a_listener_who_left_before_all_was_listed_is_not_told() -> None:
    pbx = Pbx()
    _, agent, spy, rows = running("name")
    pbx.at(1).send("PeerStatus", Peer="PJSIP/1")
    listing(pbx, *rows)
    pbx.send("ChanSpyStop", spy.block("Spyer"), agent.block("Spyee"))
    pbx.hangup(spy)
    queues(pbx, "1001")
    assert not pbx.told(events.ListenStarted)
    assert not pbx.told(events.ListenEnded)
    assert not pbx.adapter._state.spying


def test_where_no_agents_are_ever_listed_nothing_piles_up() -> None:
    pbx = Pbx()
    _, agent, spy, rows = running("name")
    pbx.at(1).send("PeerStatus", Peer="PJSIP/1")
    listing(pbx, *rows)
    assert pbx.adapter._state.spying
    pbx.hangup(spy)
    assert not pbx.adapter._state.spying
    assert agent.uid in pbx.adapter._state.channels


def test_an_agents_phone_that_is_listed_as_listening_is_in_no_call() -> None:
    pbx = Pbx()
    _, _, _, rows = running("name")
    phone = Chan("PJSIP/1002-00000003", "9.3", "9.3", "1002", "s", 6)
    pbx.at(1).send("PeerStatus", Peer="PJSIP/1")
    listing(pbx, *rows[:2], row(phone, "ChanSpy", "PJSIP/1001,q"))
    queues(pbx, "1001", "1002")
    assert pbx.states("1002") == []
    assert (pbx.one(events.ListenStarted).agent_id, pbx.one(events.ListenStarted).listener) == ("1001", "1002")
