"""One AMI packet: what is read, what is refused, and when it happened."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from services.ingest.adapters.asterisk.names import device_of, ident_of, is_phone, local_half
from services.ingest.adapters.asterisk.packet import RECEIVED_PRECISION_MS, read
from shared import events
from shared.errors import InvalidInput
from shared.raw import Raw
from tests.asteriskkit import START, Pbx

STAMP = f"{START.timestamp():.0f}"


def raw(value: bytes, shift_s: float = 0.0) -> Raw:
    return Raw(value=value, vendor="asterisk", site="hq", connector="t", received=START, shift_s=shift_s)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_text_and_json_are_the_same_packet(end: str) -> None:
    text = end.join(
        ["Event: Hold", f"Timestamp: {STAMP}.250000", "Channel: PJSIP/1001-1", "ChanVariable: a=1", "ChanVariable: b=2"]
    )
    as_json = json.dumps(
        {
            "Event": "Hold",
            "Timestamp": f"{STAMP}.250000",
            "Channel": "PJSIP/1001-1",
            "ChanVariable": ["a=1", "b=2"],
        }
    )
    one, other = read(raw(text.encode())), read(raw(as_json.encode()))
    assert one.headers == other.headers
    assert one.time == other.time == START + timedelta(milliseconds=250)


def test_values_may_hold_colons_and_be_empty() -> None:
    packet = read(raw(b"Event: Hangup\r\nURI: sip:1001@host:5060\r\nCause-txt:\r\nAccountCode: \r\n\r\n"))
    assert packet.headers["URI"] == "sip:1001@host:5060"
    assert packet.headers["Cause-txt"] == packet.headers["AccountCode"] == ""


def test_bytes_that_are_no_utf8_do_not_stop_the_packet() -> None:
    assert read(raw("Event: QueueMemberAdded\r\nMemberName: Søren".encode("latin-1"))).get("MemberName") == "S\ufffdren"


@pytest.mark.parametrize(
    ("stamp", "precision"), [(f"{STAMP}.123456", 0), (f"{STAMP}.123", 1), (STAMP, 1000), ("", RECEIVED_PRECISION_MS)]
)
def test_precision_is_that_of_the_stamp(stamp: str, precision: int) -> None:
    lines = ["Event: Hold"] + ([f"Timestamp: {stamp}"] if stamp else [])
    assert read(raw("\n".join(lines).encode())).precision_ms == precision


def test_a_recording_is_shifted_and_a_packet_without_stamp_takes_its_receipt() -> None:
    assert read(raw(f"Event: Hold\nTimestamp: {STAMP}.0".encode(), 60.0)).time == START + timedelta(seconds=60)
    assert read(raw(b"Event: Hold", 60.0)).time == START + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_ami"),
        (b"{", "not_ami"),
        (b"[]", "not_ami"),
        (b'{"Event": {"a": 1}}', "not_ami"),
        (b'{"Channel": "x"}', "not_ami"),
        (b"GET / HTTP/1.1\r\n", "not_ami"),
        (b"Event: Hold\r\nno header\r\n", "not_ami"),
        (b"\xff\xfe\x00", "not_ami"),
        (b"Event: Hold\r\nTimestamp: yesterday", "bad_timestamp"),
        (b"Event: Hold\r\nTimestamp: -1", "bad_timestamp"),
        (b"Event: Hold\r\nTimestamp: 12.5", "time_out_of_range"),
        (b"Event: Hangup\r\nChannel: PJSIP/1001-1", "missing_header"),
        (b"Event: QueueMemberAdded\r\nQueue: sales", "missing_header"),
    ],
)
def test_what_is_no_packet_is_refused_and_changes_nothing(value: bytes, reason: str) -> None:
    pbx = Pbx()
    pbx.member("1001", "sales")
    pbx.queue_call("sales", "1001")
    before = pbx.adapter.dump()
    with pytest.raises(InvalidInput) as refused:
        pbx.adapter.feed(raw(value))
    assert refused.value.reason == reason
    assert pbx.adapter.dump() == before


@pytest.mark.parametrize(
    "value",
    [
        b"Asterisk Call Manager/13.0.0\r\n",
        b"Response: Success\r\nMessage: Authentication accepted",
        b"Response: Follows\r\nPrivilege: Command\r\nanything at all\r\n--END COMMAND--",
        b"Event: SomethingNew\r\nFoo: bar",
        b"Event: VarSet\r\nVariable: X",
    ],
)
def test_what_says_nothing_to_us_is_passed_over(value: bytes) -> None:
    assert Pbx().adapter.feed(raw(value)) == []


@pytest.mark.parametrize("text", [True, False], ids=["text", "json"])
def test_a_name_without_an_end_is_cut(text: bool) -> None:
    """It would be kept for as long as the agent, in every checkpoint and on every board."""
    said = {
        "Event": "QueueMemberPause",
        "Interface": "PJSIP/1001",
        "MemberName": "n" * 500_000,
        "PausedReason": "r" * 4000,
    }
    lines = "\r\n".join(f"{name}: {value}" for name, value in said.items())
    packet = read(raw(lines.encode() if text else json.dumps(said).encode()))
    assert (len(packet.get("MemberName")), len(packet.get("PausedReason"))) == (512, 512)
    assert packet.get("Interface") == "PJSIP/1001"


def test_a_packet_told_twice_counts_once() -> None:
    pbx = Pbx()
    pbx.member("1001", "sales")
    customer, agent, _ = pbx.at(5).queue_call("sales", "1001")
    pbx.at(9).blind(agent, customer, "1002")
    again = [pbx.adapter.feed(one) for one in pbx.raws]
    assert not any(again)


def test_the_connectors_own_words_are_not_the_switchs() -> None:
    link = Raw(value=b'{"connector":"x"}', vendor="asterisk", site="hq", connector="x", received=START, kind="link")
    assert Pbx().adapter.feed(link) == []


def test_every_event_carries_its_position_and_an_id_of_its_own() -> None:
    pbx = Pbx()
    pbx.member("1001", "sales")
    customer, agent, _ = pbx.at(5).queue_call("sales", "1001")
    pbx.at(9).hang_up_by(customer, agent)
    assert len({event.id for event in pbx.events}) == len(pbx.events)
    positions = [(event.rawpartition, event.rawoffset, event.rawindex) for event in pbx.events]
    assert positions == sorted(set(positions))
    assert isinstance(pbx.events[-1].data, events.CallCleared)


@pytest.mark.parametrize(
    ("interface", "ident"),
    [
        ("PJSIP/1001", "1001"),
        ("Local/1007@agents/n", "1007"),
        ("SIP/1001", "1001"),
        ("hint:1003@ext", "1003"),
        ("Custom:desk", "desk"),
        ("1009", "1009"),
    ],
)
def test_the_id_in_an_interface(interface: str, ident: str) -> None:
    assert ident_of(interface) == ident


def test_what_channel_names_say() -> None:
    assert device_of("PJSIP/my-trunk-0000000a") == "PJSIP/my-trunk"
    assert local_half("Local/1007@agents-00000001;2") == ("Local/1007@agents-00000001", "2")
    assert local_half("PJSIP/1001-0000000a") == ("", "")
    assert is_phone("PJSIP/1001-1")
    assert not any(is_phone(f"{tech}/x-1") for tech in ("Local", "AudioSocket", "WebSocket", "Snoop", "UnicastRTP"))
