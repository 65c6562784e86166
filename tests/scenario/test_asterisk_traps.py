"""What a real Asterisk does that misleads whoever reads it, one test each; `TRAPS` is the whole list.

Where the recording shows the trap, the test reads the recording; where it does not, the packets are those of Asterisk's source.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import pytest

from services.monitor.core.engine import Engine
from shared import events
from shared.events import Event
from shared.siteconfig import SiteConfig, Sites
from tests.asteriskkit import START, Chan, Pbx
from tests.asterisktransfers import floor, talking, times
from tests.floorkit import RULES
from tests.perturb import Packet
from tests.recordedasterisk import CONFIG, SITE, WRAP_UP_S, of_kind, packets, tell, told

Headers = dict[str, Any]


def data_of(found: Any) -> list[Any]:
    return [(event.time, event.data) for event in found]


def stamp(headers: Headers) -> float:
    return float(headers["Timestamp"])


def engine_of(found: list[Event]) -> Engine:
    engine = Engine(Sites({SITE: CONFIG}), RULES)
    for event in found:
        engine.apply(event)
    return engine


def state(pbx: Pbx, agent_id: str, second: float) -> str:
    """What the board shows of an agent at `second`."""
    engine = engine_of(pbx.events)
    engine.tick(START + timedelta(seconds=second))
    view = engine.view("agent", SITE, agent_id)
    assert view is not None
    return str(view.state)  # type: ignore[attr-defined]


# ---------------------------------------------------------------- phones, states and wrap


@pytest.mark.parametrize("status", ["2", "6", "7"])
def test_member_status_is_busy_while_ringing_and_while_talking(status: str) -> None:
    """Single-line phones say 3 for both, others 6 and 2: what a phone does is read from its channels, whatever it says."""
    statuses = {headers["Status"] for _, headers in of_kind("QueueMemberStatus")}
    assert "3" in statuses
    assert not statuses & {"2", "6"}

    def other(headers: Headers) -> Headers:
        return headers | {"Status": status} if headers.get("Status") == "3" else headers

    assert data_of(tell((t, other(headers)) for t, headers in packets())) == data_of(told())


def test_no_event_says_that_wrap_up_begins_or_ends() -> None:
    """It begins with the end of the agent's part and ends by the queue's configured time, marked as concluded."""
    wraps = [event for event in told() if isinstance(event.data, events.WrapStarted)]
    assert len(wraps) == 51
    for event in wraps:
        assert isinstance(event.data, events.WrapStarted)
        assert event.data.until == event.time + timedelta(seconds=WRAP_UP_S[event.data.queue])
        assert event.provenance == "inferred"
    assert not [event for event in told() if isinstance(event.data, events.WrapEnded)]
    pbx = floor()
    customer, phone, _ = talking(pbx)
    pbx.at(20)
    pbx.complete("sales", "PJSIP/1001")
    pbx.hangup(customer, phone)
    assert [state(pbx, "1001", second) for second in (25.9, 26.1)] == ["wrap", "ready"]


def test_wrap_up_time_of_a_queue_is_not_in_its_events() -> None:
    """What they carry is the member's own, 0 for none; without configuration there is no wrap to show."""
    assert {headers["Wrapuptime"] for _, headers in of_kind("QueueMemberStatus")} == {"0"}
    assert not [event for event in tell(packets(), SiteConfig()) if isinstance(event.data, events.WrapStarted)]


def test_agent_complete_may_name_no_channel_at_all() -> None:
    """Agent and queue say which conversation it ends."""

    def bare(headers: Headers) -> Headers:
        of_channels = ("Channel", "Uniqueid", "Linkedid", "Exten", "Context", "CallerIDNum")
        kept = {n: v for n, v in headers.items() if not n.removeprefix("Dest").startswith(of_channels)}
        return kept if headers.get("Event") == "AgentComplete" else headers

    assert not any("Uniqueid" in bare(headers) for _, headers in of_kind("AgentComplete"))
    assert data_of(tell((t, bare(headers)) for t, headers in packets())) == data_of(told())


def test_times_in_whole_seconds_are_durations_and_are_not_used() -> None:
    """HoldTime, TalkTime and RingTime are documented as seconds since 1970, are durations, and count hold as talk."""
    fields = ("HoldTime", "TalkTime", "RingTime")

    def other(headers: Headers) -> Headers:
        return headers | {name: "1795316896" for name in fields if name in headers}

    assert any(name in headers for _, headers in packets() for name in fields)
    assert data_of(tell((t, other(headers)) for t, headers in packets())) == data_of(told())


def test_ring_time_is_seconds_in_one_event_and_milliseconds_in_the_other() -> None:
    """Both rings took eight seconds, and so it is told."""
    (_, missed), *_ = of_kind("AgentRingNoAnswer")
    assert missed["RingTime"] == "8000"
    assert max(int(headers["RingTime"]) for _, headers in of_kind("AgentConnect")) < 60
    rings = {
        e.data.leg_id: e.time for e in told() if isinstance(e.data, events.LegStarted) and e.data.state == "ringing"
    }
    over = next(e for e in told() if isinstance(e.data, events.LegCleared) and e.data.leg_id == missed["DestUniqueid"])
    assert (over.time - rings[missed["DestUniqueid"]]).total_seconds() == pytest.approx(8, abs=0.1)


def test_an_unanswered_ring_ends_in_two_dial_ends() -> None:
    ends: dict[str, list[str]] = defaultdict(list)
    for _, headers in of_kind("DialEnd"):
        ends[headers["DestUniqueid"]].append(headers["DialStatus"])
    twice = [uid for uid, statuses in ends.items() if statuses == ["NOANSWER", "CANCEL"]]
    assert twice
    causes = defaultdict(list)
    for event in told():
        if isinstance(event.data, events.LegCleared):
            causes[event.data.leg_id].append(event.data.cause)
    for uid in twice:
        assert causes[uid] == ["no_answer"]


# ---------------------------------------------------------------- members behind Local channels


def test_a_member_behind_a_local_channel_is_the_phone_behind_it() -> None:
    local = [headers for _, headers in of_kind("QueueMemberAdded") if headers["Interface"].startswith("Local/")]
    assert local
    names = {e.data.agent_id for e in told() if isinstance(e.data, events.AgentLoggedOn)}
    legs = {e.data.agent_id for e in told() if isinstance(e.data, events.LegStarted)}
    for headers in local:
        agent = headers["StateInterface"].partition("/")[2]
        assert agent in names & legs
    assert not [name for name in names | legs if "/" in name or "@" in name]


def test_a_local_members_agent_complete_comes_when_the_customer_hangs_up() -> None:
    """He gave the call away long before: his wrap began then, and that event begins no second one."""
    done: Counter[str] = Counter(e.data.agent_id for e in told() if isinstance(e.data, events.WrapStarted))
    wanted: Counter[str] = Counter()
    for _, headers in of_kind("AgentConnect"):
        interface = headers["Interface"].partition("/")[2].partition("@")[0]
        wanted[interface] += 1
    assert done == wanted


def test_a_local_member_transfers_to_a_queue_under_a_new_id() -> None:
    """The Local channel's second half joins, with a Uniqueid of its own: the call is still the customer's."""
    joins = [headers for _, headers in of_kind("QueueCallerJoin") if headers["Channel"].startswith("Local/")]
    assert joins
    for headers in joins:
        assert headers["Uniqueid"] != headers["Linkedid"]
        visits = [
            e.data for e in told() if isinstance(e.data, events.CallQueued) and e.time.timestamp() == stamp(headers)
        ]
        assert [visit.call_id for visit in visits] == [headers["Linkedid"]]


# ---------------------------------------------------------------- transfers


def test_a_consultation_by_phone_is_a_call_with_a_linkedid_of_its_own() -> None:
    pbx = floor()
    customer, phone, _ = talking(pbx)
    pbx.at(20).hold(phone)
    second = pbx.at(21).new("PJSIP/1001", "1001", exten="1002", state=4)
    assert second.linked != customer.linked
    target = pbx.dial(second, "1002")
    pbx.at(24).answer(second, target)
    pbx.at(31).refer(phone, second, target, customer)
    assert times(pbx) | {"released": 31.0} == {
        "requested": 21.0,
        "ringing": 21.0,
        "answered": 24.0,
        "bridged": 31.0,
        "released": 31.0,
    }
    assert pbx.told(events.TransferRequested)[0].call_id == customer.uid


def test_attended_transfer_may_lack_its_target_or_name_a_local_channel() -> None:
    named = [headers.get("TransferTargetChannel", "") for _, headers in of_kind("AttendedTransfer")]
    assert any(not name or name.startswith("Local/") for name in named)
    answered = [e.data.to_agent for e in told() if isinstance(e.data, events.TransferBridged)]
    assert answered
    assert all(answered)


def test_unhold_is_said_just_before_a_transfer_though_nobody_resumed() -> None:
    """The customer goes from music to the target: no moment of talk is shown between."""
    early = []
    for number, (_, headers) in enumerate(packets()):
        if headers.get("Event") == "Unhold":
            after = [h for _, h in packets()[number : number + 40] if stamp_or_0(h) - stamp(headers) < 0.05]
            early += [headers["Uniqueid"] for h in after if h.get("TransfererUniqueid") == headers["Uniqueid"]]
    assert early
    pbx = floor()
    customer, phone, _ = talking(pbx)
    pbx.at(20).hold(phone)
    pbx.at(30).blind(phone, customer, "1002")
    pbx.at(31).answer(customer, pbx.dial(customer, "1002"))
    assert "agent retrieved" not in pbx.states("1001")
    engine = engine_of(pbx.events)
    (transfer,) = engine.floor_view().transfers
    assert transfer.customer_gap_s == pytest.approx(11, abs=0.1)  # since the hold


def stamp_or_0(headers: Headers) -> float:
    return float(headers.get("Timestamp") or 0)


def test_an_agent_who_takes_a_customer_off_hold_is_shown_talking() -> None:
    pbx = floor()
    _, phone, _ = talking(pbx)
    pbx.at(20).hold(phone)
    pbx.at(25).unhold(phone)
    pbx.at(25.05).send("DeviceStateChange", Device="PJSIP/1001", State="INUSE")
    assert pbx.states("1001")[-1] == "agent retrieved"
    assert pbx.when(events.LegRetrieved) == [pytest.approx(25, abs=0.001)]


@pytest.mark.parametrize("result", ["Fail", "Invalid", "Not Permitted"])
def test_a_transfer_that_the_switch_refuses_is_told_by_its_result(result: str) -> None:
    pbx = floor()
    customer, phone, _ = talking(pbx)
    pbx.at(20).blind(phone, customer, "999", result=result)
    assert pbx.one(events.TransferEnded).outcome == "failed"
    assert pbx.one(events.TransferEnded).reason == result.lower()
    assert pbx.states("1001")[-1] == "agent talking"


# ---------------------------------------------------------------- queues


def test_abandon_is_said_of_calls_that_timed_out_too() -> None:
    pbx = floor()
    pbx.member("1004", "support")
    customer = pbx.at(10).customer()
    pbx.join(customer, "sales")
    pbx.at(40).send("QueueCallerAbandon", customer.block(), Queue="sales", Position=1, OriginalPosition=1, HoldTime=30)
    pbx.send("QueueCallerLeave", customer.block(), Queue="sales", Position=1, Count=0)
    pbx.at(40.1).join(customer, "support", "802")
    assert pbx.one(events.CallDequeued).reason == "timed_out"


def test_the_switchs_service_level_is_spelt_its_own_way_and_is_not_ours() -> None:
    """`ServicelevelPerf` on the wire, `ServiceLevelPerf` in its documents: figures are counted from calls, not taken over."""
    (_, params), *_ = of_kind("QueueParams")
    assert "ServicelevelPerf" in params
    assert "ServiceLevelPerf" not in params
    other = [(t, {n: v for n, v in h.items() if not n.lower().startswith("servicelevel")}) for t, h in packets()]
    assert data_of(tell(other)) == data_of(told())


def test_an_agent_of_two_queues_is_one_agent() -> None:
    per_agent = defaultdict(set)
    for _, headers in of_kind("QueueMemberAdded"):
        per_agent[headers["StateInterface"]].add(headers["Queue"])
    assert any(len(queues) > 1 for queues in per_agent.values())
    floor_view = engine_of(list(told())).floor_view()
    assert len({view.agent_id for view in floor_view.agents}) == len(floor_view.agents) == 12


# ---------------------------------------------------------------- listening


def test_a_listener_is_no_agent_and_counts_in_no_call() -> None:
    (_, spied), *_ = of_kind("ChanSpyStart")
    assert not [e for e in told() if getattr(e.data, "leg_id", "") == spied["SpyerUniqueid"]]
    assert not [e for e in told() if getattr(e.data, "call_id", "") == spied["SpyerUniqueid"]]


def spy(pbx: Pbx, listener: str, phone: Chan) -> Chan:
    chan = pbx.new(f"PJSIP/{listener}", listener, state=6)
    pbx.send("ChanSpyStart", chan.block("Spyer"), phone.block("Spyee"))
    return chan


def listened(pbx: Pbx, agent_id: str) -> bool:
    return next(view.listened for view in engine_of(pbx.events).floor_view().agents if view.agent_id == agent_id)


def test_two_supervisors_listen_and_one_leaves() -> None:
    pbx = floor()
    _, phone, _ = talking(pbx)
    one, two = spy(pbx.at(20), "1040", phone), spy(pbx, "1041", phone)
    pbx.at(25).send("ChanSpyStop", one.block("Spyer"), phone.block("Spyee"))
    pbx.hangup(one)
    assert listened(pbx, "1001")
    pbx.at(30).send("ChanSpyStop", two.block("Spyer"), phone.block("Spyee"))
    assert not listened(pbx, "1001")
    assert len(pbx.told(events.ListenEnded)) == 2


def test_a_listener_whose_line_is_gone_listens_no_longer() -> None:
    """No ChanSpyStop came: its channel hung up."""
    pbx = floor()
    _, phone, _ = talking(pbx)
    listener = spy(pbx.at(20), "1040", phone)
    pbx.at(25).hangup(listener)
    assert not listened(pbx, "1001")


# ---------------------------------------------------------------- the stream itself


def test_without_timestamps_the_time_of_receipt_counts() -> None:
    """`timestampevents = no`: the same story, a little less exact, and it says so."""
    bare: list[Packet] = [(t, {n: v for n, v in h.items() if n != "Timestamp"}) for t, h in packets()]
    story = tell(bare)
    assert [event.data for event in story if not _stamped(event)] == [e.data for e in told() if not _stamped(e)]
    assert {event.precisionms >= 50 for event in story} == {True}


def _stamped(event: Event) -> bool:
    """Its data holds times, which differ, or says what is known by a certain packet, of which the order differs."""
    return isinstance(event.data, events.WrapStarted | events.Snapshot | events.AgentSeen)


@pytest.mark.parametrize("number", ["7", "-1", "", "no number"])
def test_a_sequence_number_is_not_to_be_relied_on(number: str) -> None:
    """It comes only while the manager is debugged, so it is read by nobody: losses are made good by listings."""
    assert not any("SequenceNumber" in headers for _, headers in packets())
    some = packets()[:1500]
    assert data_of(tell((t, h | {"SequenceNumber": number}) for t, h in some)) == data_of(tell(some))


def test_a_header_that_repeats_is_a_list() -> None:
    some = packets()[:1500]
    doubled = [
        (t, {n: [v, v] if n in ("Queue", "Interface", "Uniqueid") else v for n, v in h.items()}) for t, h in some
    ]
    assert data_of(tell(doubled)) == data_of(tell(some))


def test_headers_and_events_in_another_case_are_the_same() -> None:
    """Versions drift between Uniqueid and UniqueID."""
    some = packets()[:1500]
    names = {"Uniqueid": "UniqueID", "DestUniqueid": "DestUniqueID", "Linkedid": "LinkedID", "Newchannel": "NewChannel"}
    drifted = [(t, {names.get(n, n): names.get(v, v) if n == "Event" else v for n, v in h.items()}) for t, h in some]
    assert data_of(tell(drifted)) == data_of(tell(some))


def test_a_switch_that_started_anew_has_its_counters_at_zero() -> None:
    """LastCall and InCall are 0 in mid-call, and a member is listed as if nothing had been: a conversation is not over by it."""
    pbx = floor()
    talking(pbx)
    pbx.at(20).member("1001", "sales", event="Status", LastCall=0, InCall=0, CallsTaken=0, Status=1)
    assert state(pbx, "1001", 21) == "talk"
    assert not pbx.told(events.WrapStarted)


def test_after_a_crash_of_the_switch_its_first_listing_ends_what_ran() -> None:
    """No Shutdown was said. The connector comes back in a new session to a switch that has no channel."""
    pbx = floor()
    talking(pbx)
    heard = len(pbx.events)
    pbx.session = "after the crash"
    pbx.at(60).reply("CoreShowChannelsComplete", ListItems=0)
    pbx.reply("QueueParams", Queue="sales")
    for agent in ("1001", "1002", "1003"):
        where = {"Queue": "sales", "Name": agent, "Location": f"PJSIP/{agent}", "StateInterface": f"PJSIP/{agent}"}
        pbx.reply("QueueMember", where, Paused=0, LastCall=0, InCall=0, Wrapuptime=0)
    pbx.reply("QueueStatusComplete", ListItems=4)
    up = events.make(events.LinkUp(connector="test"), id="", source="/", site=SITE, time=START + timedelta(seconds=60))
    engine = engine_of([*pbx.events[:heard], up, *pbx.events[heard:]])
    view = engine.floor_view()
    assert [agent.state for agent in view.agents] == ["ready", "ready", "ready"]
    assert view.calls == ()
    assert engine.anomalies(SITE) == {}


def test_a_wrong_password_reads_as_no_data() -> None:
    """The manager answers and closes. Nothing of it looks like a quiet floor."""
    pbx = Pbx()
    pbx.feed(b"Response: Error\r\nMessage: Authentication failed\r\n\r\n")
    assert pbx.events == []
    down = events.make(
        events.LinkDown(connector="test", reason="Authentication failed"), id="", source="/", site=SITE, time=START
    )
    (site,) = engine_of([down]).floor_view().sites
    assert (site.link, site.link_reason) == ("down", "Authentication failed")


def test_a_status_after_the_log_off_brings_nobody_back() -> None:
    pbx = Pbx()
    pbx.member("1001", "sales")
    pbx.at(10).member("1001", "sales", event="Removed")
    pbx.at(11).member("1001", "sales", event="Status")
    assert state(pbx, "1001", 12) == "offline"


TRAPS = {
    "single-line phones are busy while they ring": test_member_status_is_busy_while_ringing_and_while_talking,
    "no event for wrap-up": test_no_event_says_that_wrap_up_begins_or_ends,
    "the queue's wrap-up time is configuration": test_wrap_up_time_of_a_queue_is_not_in_its_events,
    "AgentComplete without channels": test_agent_complete_may_name_no_channel_at_all,
    "members through Local channels": test_a_member_behind_a_local_channel_is_the_phone_behind_it,
    "their AgentComplete comes late": test_a_local_members_agent_complete_comes_when_the_customer_hangs_up,
    "their transfer to a queue is visible by Linkedid only": test_a_local_member_transfers_to_a_queue_under_a_new_id,
    "REFER with Replaces: another Linkedid": test_a_consultation_by_phone_is_a_call_with_a_linkedid_of_its_own,
    "AttendedTransfer without its target": test_attended_transfer_may_lack_its_target_or_name_a_local_channel,
    "Unhold before every transfer": test_unhold_is_said_just_before_a_transfer_though_nobody_resumed,
    "Unhold by the agent": test_an_agent_who_takes_a_customer_off_hold_is_shown_talking,
    "two DialEnds": test_an_unanswered_ring_ends_in_two_dial_ends,
    "whole seconds, hold counted as talk, 'since 1970'": test_times_in_whole_seconds_are_durations_and_are_not_used,
    "RingTime in s and in ms": test_ring_time_is_seconds_in_one_event_and_milliseconds_in_the_other,
    "transfers that are refused": test_a_transfer_that_the_switch_refuses_is_told_by_its_result,
    "QueueCallerAbandon of a time-out": test_abandon_is_said_of_calls_that_timed_out_too,
    "spelling of ServicelevelPerf": test_the_switchs_service_level_is_spelt_its_own_way_and_is_not_ours,
    "agent in two queues": test_an_agent_of_two_queues_is_one_agent,
    "listeners count nowhere": test_a_listener_is_no_agent_and_counts_in_no_call,
    "two listeners": test_two_supervisors_listen_and_one_leaves,
    "an orphaned listener": test_a_listener_whose_line_is_gone_listens_no_longer,
    "no Timestamp": test_without_timestamps_the_time_of_receipt_counts,
    "no SequenceNumber": test_a_sequence_number_is_not_to_be_relied_on,
    "repeated headers": test_a_header_that_repeats_is_a_list,
    "case drift": test_headers_and_events_in_another_case_are_the_same,
    "restart: counters reset, LastCall=0": test_a_switch_that_started_anew_has_its_counters_at_zero,
    "crash": test_after_a_crash_of_the_switch_its_first_listing_ends_what_ran,
    "wrong password": test_a_wrong_password_reads_as_no_data,
    "status after log-off": test_a_status_after_the_log_off_brings_nobody_back,
}


def test_every_trap_has_its_test() -> None:
    tests = {name for name, value in globals().items() if name.startswith("test_") and callable(value)}
    assert tests - {"test_every_trap_has_its_test"} == {one.__name__ for one in TRAPS.values()}
