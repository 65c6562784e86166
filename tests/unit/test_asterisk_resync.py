"""Answers to CoreShowChannels and QueueStatus: what there is, what is evidence, and everything anew in a new session."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.adapters.asterisk.names import is_phone
from services.monitor.core.engine import Engine
from shared import events
from shared.envelope import Data
from shared.events import Event
from shared.siteconfig import Sites
from tests.asteriskkit import CONFIG, Chan, Pbx
from tests.floorkit import RULES
from tests.floorkit import at as moment

RESYNC = (events.Snapshot, events.AgentSeen)


def list_channels(pbx: Pbx, *but: Chan, items: int | None = None) -> None:
    """The answer to CoreShowChannels as the switch's channels are, some of them left out because it has them no more."""
    gone = {chan.uid for chan in but}
    rows = [channel for channel in pbx.adapter._state.channels.values() if channel.uid not in gone]
    for channel in rows:
        headers = {
            "Channel": channel.name,
            "Uniqueid": channel.uid,
            "Linkedid": channel.linked,
            "ChannelState": str(channel.state),
            "CallerIDNum": channel.number or "<unknown>",
            "Application": "Queue" if not channel.dialed and is_phone(channel.name) else "AppQueue",
            "ApplicationData": "sales,tT",
            "BridgeId": channel.bridge,
            "Duration": "00:00:05",
        }
        pbx.reply("CoreShowChannel", headers)
    pbx.reply("CoreShowChannelsComplete", ListItems=len(rows) if items is None else items)


def list_queues(pbx: Pbx, *queues: str, items: int | None = None) -> None:
    """The answer to QueueStatus."""
    state, count = pbx.adapter._state, 0
    for queue in queues:
        pbx.reply("QueueParams", Queue=queue)
        count += 1
        for member in state.members.values():
            if member.queue == queue and member.present:
                pbx.reply(
                    "QueueMember",
                    Queue=queue,
                    Name=member.name,
                    Location=member.interface,
                    StateInterface=f"PJSIP/{member.agent_id}",
                    Paused=int(member.paused),
                    PausedReason=member.reason,
                    LastCall=0,
                    InCall=0,
                    Wrapuptime=0,
                )
                count += 1
        for visit in state.visits.values():
            if visit.queue == queue:
                channel = state.channels[visit.uid]
                wait = int(pbx.now - (visit.joined - moment(0)).total_seconds())
                pbx.reply("QueueEntry", Queue=queue, Position=1, Channel=channel.name, Uniqueid=visit.uid, Wait=wait)
                count += 1
    pbx.reply("QueueStatusComplete", ListItems=count if items is None else items)


def since(pbx: Pbx, before: int, *kinds: type[Data]) -> list[Data]:
    return [event.data for event in pbx.events[before:] if not kinds or isinstance(event.data, kinds)]


@pytest.fixture
def pbx() -> Pbx:
    """1001 speaks with a customer, another waits, 1002 has a break, 1003 is free."""
    pbx = Pbx()
    for agent in ("1001", "1002", "1003"):
        pbx.member(agent, "sales")
    pbx.member("1002", "sales", event="Pause", Paused=1, PausedReason="lunch")
    pbx.at(10).queue_call("sales", "1001")
    pbx.at(20).join(pbx.customer("+4599999999"), "sales")
    return pbx


def test_a_whole_listing_of_channels_says_which_calls_and_legs_there_are(pbx: Pbx) -> None:
    before = len(pbx.events)
    list_channels(pbx.at(40))
    (snapshot,) = since(pbx, before)
    started = pbx.told(events.CallStarted)
    assert isinstance(snapshot, events.Snapshot)
    assert snapshot.calls == tuple(call.call_id for call in started)
    assert snapshot.legs == tuple(leg.leg_id for leg in pbx.told(events.LegStarted))
    assert (snapshot.agents, snapshot.queues) == (None, None)


def test_a_whole_listing_of_queues_is_evidence_of_every_member_and_says_who_waits(pbx: Pbx) -> None:
    before = len(pbx.events)
    list_queues(pbx.at(40), "sales")
    *seen, snapshot = since(pbx, before)
    assert seen == [events.AgentSeen(agent_id=agent) for agent in ("1001", "1002", "1003")]
    waiting = pbx.told(events.CallQueued)[-1].call_id
    assert snapshot == events.Snapshot(connector="test", agents=("1001", "1002", "1003"), queues={"sales": (waiting,)})


def test_a_listing_that_did_not_come_in_whole_says_nothing(pbx: Pbx) -> None:
    before = len(pbx.events)
    list_channels(pbx.at(40), items=99)
    list_queues(pbx, "sales", items=99)
    assert since(pbx, before, *RESYNC) == []


def test_a_snapshot_says_how_long_its_listing_took(pbx: Pbx) -> None:
    """What began while the answer came in is none of its business."""
    before = len(pbx.events)
    pbx.at(40).reply("QueueParams", Queue="sales")
    pbx.at(41.5).reply("QueueStatusComplete", ListItems=1)
    snapshots = [event for event in pbx.events[before:] if isinstance(event.data, events.Snapshot)]
    assert [event.precisionms for event in snapshots] == [1500]


def test_the_engine_and_the_adapter_agree_on_who_is_a_ghost(pbx: Pbx) -> None:
    """A call whose end was lost: the adapter ends it, so the snapshot finds nothing left to sweep."""
    customer = next(c for c in pbx.adapter._state.channels.values() if c.number == "+4512345678")
    phone = next(c for c in pbx.adapter._state.channels.values() if c.name.startswith("PJSIP/1001"))
    list_channels(pbx.at(40), *(Chan(c.name, c.uid, c.linked, "", "", 6) for c in (customer, phone)))
    list_queues(pbx, "sales")
    engine = run(pbx.events)
    assert [agent.state for agent in engine.floor_view().agents] == ["wrap", "break", "ready"]
    assert len(engine.floor_view().calls) == 1
    assert engine.anomalies("hq") == {}


# ---------------------------------------------------------------- a new session


def run(told: list[Event], *, up_before: int = 0) -> Engine:
    """An engine that heard this; before event number `up_before` the link came up again."""
    engine = Engine(_sites(), RULES)
    offset = 0
    for number, one in enumerate(told):
        if number in (0, up_before):
            engine.apply(_at(link_of(one), offset))
            offset += 1
        engine.apply(_at(one, offset))
        offset += 1
    return engine


def _at(one: Event, offset: int) -> Event:
    return events.make(
        one.data,
        id=str(offset),
        source="/",
        site="hq",
        time=one.time,
        receivedtime=one.receivedtime,
        provenance=one.provenance,
        precisionms=one.precisionms,
        rawpartition=0,
        rawoffset=offset,
    )


def link_of(one: Event) -> Event:
    return events.make(events.LinkUp(connector="test"), id="", source="/", site="hq", time=one.time)


def _sites() -> Sites:
    return Sites({"hq": CONFIG})


def board(engine: Engine) -> Any:
    floor = engine.floor_view()
    agents = {view.agent_id: (view.state, view.name, view.queues, view.reason) for view in floor.agents}
    calls = {
        view.call_id: (view.direction, view.state, view.queue, [(leg.leg_id, leg.role, leg.state) for leg in view.legs])
        for view in floor.calls
    }
    return agents, calls, {view.queue: (view.waiting, view.longest_since) for view in floor.queues}


def test_after_a_lost_link_the_floor_is_told_anew(pbx: Pbx) -> None:
    """The link came up in a new session: readers let go of all they knew, and the listings bring it back."""
    heard = len(pbx.events)
    as_it_was = board(run(pbx.events))
    pbx.session = "second"
    list_channels(pbx.at(40))
    list_queues(pbx, "sales")
    again = run(pbx.events, up_before=heard)
    assert board(again) == as_it_was
    assert again.anomalies("hq") == {}


def test_nothing_is_told_of_what_ended_while_nobody_listened(pbx: Pbx) -> None:
    heard = len(pbx.events)
    gone = [Chan(c.name, c.uid, c.linked, "", "", 6) for c in pbx.adapter._state.channels.values()]
    pbx.session = "second"
    list_channels(pbx.at(40), *gone)
    list_queues(pbx, "sales")
    told = since(pbx, heard)
    assert {type(one) for one in told} == {events.AgentLoggedOn, events.AgentNotReady, *RESYNC}
    engine = run(pbx.events, up_before=heard)
    assert engine.floor_view().calls == ()
    assert [agent.state for agent in engine.floor_view().agents] == ["ready", "break", "ready"]
    assert engine.anomalies("hq") == {}


def test_an_agent_in_a_call_across_a_lost_link_gets_the_wrap_after_it(pbx: Pbx) -> None:
    pbx.session = "second"
    list_channels(pbx.at(40))
    pbx.at(50).complete("sales", "PJSIP/1001")
    assert pbx.one(events.WrapStarted).agent_id == "1001"


def test_without_listings_things_are_told_anew_as_the_switch_speaks_of_them(pbx: Pbx) -> None:
    heard = len(pbx.events)
    pbx.session = "second"
    pbx.at(40).member("1003", "sales", event="Status")
    assert since(pbx, heard, events.AgentLoggedOn) == [
        events.AgentLoggedOn(agent_id="1003", name="Agent 1003", queues=("sales",))
    ]


def test_the_last_words_of_a_connector_that_is_replaced_are_no_new_session(pbx: Pbx) -> None:
    pbx.session = "second"
    list_queues(pbx.at(40), "sales")
    heard = len(pbx.events)
    pbx.session = "s"
    pbx.at(41).member("1003", "sales", event="Status")
    pbx.session = "second"
    pbx.at(42).member("1003", "sales", event="Status")
    assert since(pbx, heard) == []
