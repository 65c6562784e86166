"""A switch, or what pretends to be one, that says anything at all: each has a bounded effect and a name on the board."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.connectors.asterisk import connector
from services.ingest.connectors.asterisk.ami import MAX_PACKET_BYTES, headers_of
from services.ingest.connectors.asterisk.channels import Mirror
from services.ingest.connectors.asterisk.connector import LISTINGS
from shared.clock import from_epoch
from shared.commands import AgentPause, ListenMode, Resync
from shared.events import LinkDown, LinkUp
from shared.raw import Raw
from tests.amikit import Wired, packet, wired
from tests.recordedasterisk import CONFIG, SITE
from tests.waiting import until


def reasons(site: Wired) -> list[str]:
    return [link.reason.partition(":")[0] for link in site.links() if isinstance(link, LinkDown)]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (b"Event: " + b"x" * (MAX_PACKET_BYTES + 1), b""),
        (b"".join(b"Line%d: %s\r\n" % (number, b"y" * 30) for number in range(10_000)), b""),
        (packet(Event="PeerStatus", Peer="PJSIP/1") + b"z" * (2 * MAX_PACKET_BYTES), b"PeerStatus"),
    ],
    ids=["a line without an end", "10 000 lines without an end", "behind a good one"],
)
async def test_what_has_no_end_is_cut_and_the_link_made_anew(told: bytes, kept: bytes) -> None:
    async with wired() as site:
        await site.up()
        with_it = asyncio.create_task(site.switch.talk.say(told))
        await until(lambda: site.connector.failure is not None or len(site.switch.talks) > 1)
        await asyncio.wait([with_it])
        with_it.exception()
        assert site.connector.failures == {"no manager port": 1}
        assert kept in site.stream_of()
        assert len(site.stream_of()) < 200_000, "what is no packet is no record"
        await site.pass_s(2)
        await until(lambda: site.connector.is_up)
        assert reasons(site) == ["no manager port"]


async def test_bytes_that_are_no_text_are_carried_as_they_are() -> None:
    async with wired() as site:
        await site.up()
        odd = [
            b"Event: Newchannel\r\nChannel: PJSIP/\xff\xfe-1\r\nUniqueid: \xc3\x28.1\r\n\r\n",
            b"\x00\x01\x02: \x80\r\n\r\n",
            b"Event: Hangup\r\nUniqueid: listen-\xff\r\nChannel: \xff\r\n\r\n",
            b":\r\n\r\n",
            b"Response: \xff\r\nActionID: \xff\r\n\r\n",
        ]
        await site.switch.talk.say(*odd)
        await site.heard(len(site.switch.talk.sent))
        assert site.stream_of() == bytes(site.switch.talk.sent)
        assert site.connector.is_up
        assert site.connector.mirror.faults == 0


async def test_who_floods_before_the_login_is_bounded_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "HELD_BYTES", 50_000)
    async with wired() as site:
        flood = b"".join(packet(Event="PeerStatus", Peer="x" * 1000) for _ in range(3000))
        site.switch.greets = (site.switch.greets or b"") + flood
        await site.start()
        await until(lambda: site.connector._held_bytes >= 50_000)
        await site.pass_s(20)
        assert site.connector._held_bytes < 52_000
        assert set(reasons(site)) == {"no answer"}
        assert site.stream_of() == b""


@pytest.mark.parametrize("deaf", ["PlayDTMF", "QueuePause"])
async def test_a_command_whose_answer_never_comes_fails_in_time_and_the_link_stays(deaf: str) -> None:
    async with wired(answer_s=3) as site:
        await site.up()
        site.switch.deaf.add(deaf)
        fork = "8f9aee8a-1f7d-4ad1-b5c0-6a8a2a0e0e0e"
        uid = f"listen-{fork}"
        spy: dict[str, Any] = {"SpyerChannel": "AudioSocket/x", "SpyerUniqueid": uid, "SpyeeChannel": "PJSIP/1"}
        listed = packet(
            Event="CoreShowChannel",
            Channel="AudioSocket/x",
            Uniqueid=uid,
            Application="ChanSpy",
            ApplicationData="PJSIP/1,qudES",
        )
        of: dict[str, Any] = {"Interface": "PJSIP/1001", "StateInterface": "PJSIP/1001", "MemberName": "a", "Paused": 0}
        joined = packet(Event="QueueMemberAdded", Queue="sales", Membership="dynamic", Status=1, InCall=0, **of)
        await site.switch.talk.say(joined, packet(Event="ChanSpyStart", **spy), listed)
        await until(lambda: fork in site.connector.mirror.forks)
        wanted = ListenMode(fork_id=fork, mode="barge") if deaf == "PlayDTMF" else AgentPause(agent_id="1001")
        command = await site.send(wanted, expires_s=30)
        await until(lambda: site.switch.talk.actions(deaf))
        await site.pass_s(4)
        answer = await site.done(command)
        assert (answer.outcome, answer.reason) == ("failed", f"the switch did not answer {deaf} in time")
        assert site.connector.is_up


async def test_a_resync_beside_commands_delays_neither() -> None:
    async with wired(list_s=5) as site:
        await site.up()
        site.switch.deaf |= {"QueueStatus"}
        listing = await site.send(Resync(), expires_s=60)
        await until(lambda: len(site.switch.talk.actions("QueueStatus")) == 2)
        pause = await site.send(AgentPause(agent_id="nobody"))
        assert (await site.done(pause)).reason == "the agent is in no queue", "it does not wait for the listing"
        await site.pass_s(6)
        assert (await site.done(listing)).outcome == "done", "the others came"
        for name in LISTINGS:
            assert len(site.switch.talk.actions(name)) == 2


async def test_after_a_reconnect_what_comes_late_or_out_of_order_breaks_nothing() -> None:
    """Ends before beginnings, answers to questions of the connection before, the same again."""
    async with wired() as site:
        await site.up()
        asked = site.switch.talk.asked[-1]["ActionID"]
        site.switch.talk.cut()
        await until(lambda: not site.connector.is_up)
        await site.pass_s(2)
        await until(lambda: site.connector.resyncs == 2)
        beginning = packet(Event="Newchannel", Channel="PJSIP/1001-9", Uniqueid="9.9", Linkedid="9.9", ChannelState="0")
        end = packet(Event="Hangup", Channel="PJSIP/1001-9", Uniqueid="9.9", Linkedid="9.9", Cause="16")
        stray = packet(Response="Success", ActionID=asked, Message="late")
        complete = packet(
            Event="CoreShowChannelsComplete", ActionID="fw-of-before-7", EventList="Complete", ListItems="0"
        )
        await site.switch.talk.say(end, stray, beginning, end, complete, beginning, stray, end)
        await site.heard(len(site.switch.talk.sent) + len(site.switch.talks[0].sent))
        assert site.connector.is_up
        assert site.connector.mirror.faults == 0
        assert [type(link) for link in site.links()] == [LinkUp, LinkDown, LinkUp]


_WORDS = (
    "Newchannel Hangup BridgeEnter BridgeLeave DialBegin DialEnd Newstate QueueMember QueueParams AgentConnect Hold Unhold "
    "ChanSpyStart ChanSpyStop CoreShowChannel CoreShowChannelsComplete QueueStatusComplete LocalBridge BlindTransfer "
    "AttendedTransfer NewExten DeviceStateChange OriginateResponse FullyBooted Shutdown"
)
words = st.sampled_from(_WORDS.split())
_NAMES = (
    "Channel Uniqueid Linkedid Bridgeuniqueid Queue Interface StateInterface MemberName Paused Status DestChannel DestUniqueid "
    "SpyerUniqueid SpyerChannel SpyeeUniqueid SpyeeChannel Application ApplicationData ListItems Timestamp ChannelState "
    "LocalOneChannel LocalOneUniqueid LocalTwoChannel LocalTwoUniqueid State Device Position Reason"
)
names = st.sampled_from(_NAMES.split())
values = st.one_of(
    st.sampled_from(
        ["", "9.1", "9.2", "PJSIP/1001-1", "Local/1@a-1;1", "listen-x", "sales", "-1", "nan", "1e999", "9" * 400]
    ),
    st.text(max_size=20),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(words, st.lists(st.tuples(names, values), max_size=8), st.binary(max_size=6)), max_size=25))
def test_no_packet_breaks_the_mirror(told: list[tuple[str, list[tuple[str, str]], bytes]]) -> None:
    mirror = Mirror(SITE, CONFIG)
    for seq, (event, headers, noise) in enumerate(told):
        lines = [f"{name}: {value}".encode() for name, value in headers]
        value = b"\r\n".join([b"Event: " + event.encode(), *lines, noise, b"", b""])
        headers_of(value)
        raw = Raw(
            value=value,
            vendor="asterisk",
            site=SITE,
            connector="asterisk",
            received=from_epoch(1_700_000_000 + seq),
            session="s",
            seq=seq,
        )
        mirror.feed(raw)
    assert mirror.faults == 0
