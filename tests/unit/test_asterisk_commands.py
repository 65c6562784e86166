"""Commands carried out at a pretend switch: what it is asked, how its answers are understood, whom a command means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from shared.commands import (
    AgentLogoff,
    AgentPause,
    AgentUnpause,
    ListenMode,
    ListenStart,
    ListenStop,
    Resync,
)
from shared.events import CallStarted, LegStarted
from tests.amikit import Conversation, Wired, packet, stream, wired
from tests.waiting import until

FORK = "40325ec2-5efd-4bd3-805f-53576e581d13"
OTHER = "50325ec2-5efd-4bd3-805f-53576e581d13"
MEDIA = "audiosocket://127.0.0.1:8604"


def hears(site: Wired, *, ends: bool = False, wrong: bool = False, failure: str = "") -> None:
    """What the switch says to an Originate, as it was measured: success, then what became of it."""

    def answer(_: Conversation, asked: dict[str, str]) -> Iterator[bytes]:
        uid, spyee = asked["ChannelId"], asked["Data"].rpartition(",")[0]
        name = "AudioSocket/127.0.0.1:8604-" + uid.removeprefix("listen-")
        block = {"Channel": name, "ChannelState": 6, "CallerIDNum": "listen", "Uniqueid": uid, "Linkedid": uid}
        target = "1.9" if wrong else uid_of(site, spyee)
        response = {"Event": "OriginateResponse", "ActionID": asked["ActionID"], "Application": "ChanSpy"}
        yield packet(Response="Success", ActionID=asked["ActionID"], Message="Originate successfully queued")
        if failure:
            yield packet(**response, Response="Failure", Channel=asked["Channel"], Reason=failure, Uniqueid="<null>")
            return
        yield packet(Event="Newchannel", **block)
        yield packet(**response, Response="Success", Channel=name, Reason=4, Uniqueid=uid)
        if not ends:
            spyer = {f"Spyer{key}": value for key, value in block.items()}
            yield packet(Event="ChanSpyStart", **spyer, SpyeeChannel=spyee, SpyeeUniqueid=target, SpyeeLinkedid=target)
        else:
            yield packet(Event="Hangup", **block, Cause=16)

    site.switch.answers["Originate"] = answer
    for action in ("PlayDTMF", "Hangup", "QueuePause", "QueueRemove"):
        site.switch.answers[action] = lambda _, asked: [
            packet(Response="Success", ActionID=asked["ActionID"], Message="Ok")
        ]


def uid_of(site: Wired, name: str) -> str:
    return next(one.uid for one in site.connector.mirror.state.channels.values() if one.name == name)


def refuses(site: Wired, action: str, message: str) -> None:
    site.switch.answers[action] = lambda _, asked: [
        packet(Response="Error", ActionID=asked["ActionID"], Message=message)
    ]


async def busy(site: Wired) -> tuple[CallStarted, LegStarted]:
    """The recorded floor up to where an agent speaks with a customer who came in: the call, and the agent's leg in it."""
    await site.up()
    hears(site)
    at = next(n for n, (_, one) in enumerate(stream()) if b"Event: AgentConnect" in one) + 30
    site.clock.pause(stream()[at][0] - site.clock.now().timestamp())
    size = site.connector.heard[1]
    data = b"".join(one for _, one in stream()[:at])
    await site.switch.talk.say(data)
    await site.heard(size + len(data))
    told = [event.data for event in site.events()]
    call = next(one for one in told if isinstance(one, CallStarted) and one.direction == "inbound")
    leg = next(one for one in told if isinstance(one, LegStarted) and one.call_id == call.call_id)
    return call, leg


def listen(call: CallStarted, leg: LegStarted, **changed: Any) -> ListenStart:
    fields: dict[str, Any] = {
        "fork_id": FORK,
        "call_id": call.call_id,
        "leg_id": leg.leg_id,
        "agent_id": leg.agent_id,
        "side": "customer",
        "audio": "split",
        "media": MEDIA,
    }
    return ListenStart(**(fields | changed))


async def test_a_hearing_leg_taps_the_customer_and_is_named_after_its_fork() -> None:
    async with wired() as site:
        call, leg = await busy(site)
        done = await site.done(command := await site.send(listen(call, leg)))
        assert [one.outcome for one in site.answers(command)] == ["taken", "done"]
        assert (done.fork_id, done.call_id, done.agent_id) == (FORK, call.call_id, leg.agent_id)
        (asked,) = site.switch.talk.actions("Originate")
        target = site.connector.mirror.state.channels[call.call_id].name
        assert target.startswith("PJSIP/carrier-")
        del asked["Action"], asked["ActionID"]
        assert asked == {
            "Channel": f"AudioSocket/127.0.0.1:8604/{FORK}/c(slin)",
            "Application": "ChanSpy",
            "Data": f"{target},quDES",
            "ChannelId": f"listen-{FORK}",
            "CallerID": "Listen <listen>",
            "Async": "true",
        }


async def test_taken_is_written_before_the_switch_is_asked() -> None:
    async with wired() as site:
        call, leg = await busy(site)
        seen: list[bool] = []
        originate = site.switch.answers["Originate"]

        def answer(talk: Conversation, asked: dict[str, str]) -> Any:
            seen.append(any(b"command_answered" in raw.value and b'"taken"' in raw.value for raw in site.raws()))
            return originate(talk, asked)

        site.switch.answers["Originate"] = answer
        await site.done(await site.send(listen(call, leg)))
        assert seen == [True]


async def test_a_speaking_leg_taps_the_agent_and_is_switched_by_keys() -> None:
    async with wired() as site:
        call, leg = await busy(site)
        speaking = listen(call, leg, side="agent", audio="mixed", speaks=True, mode="whisper")
        assert (await site.done(await site.send(speaking))).outcome == "done"
        (asked,) = site.switch.talk.actions("Originate")
        name, _, options = asked["Data"].rpartition(",")
        assert options == "qudES"
        assert name.startswith(f"PJSIP/{leg.agent_id}-")
        for mode in ("barge", "listen"):
            assert (await site.done(await site.send(ListenMode(fork_id=FORK, mode=mode)))).outcome == "done"
        keys = site.switch.talk.actions("PlayDTMF")
        assert [one["Digit"] for one in keys] == ["5", "6", "4"]
        assert {one["Channel"] for one in keys} == {f"AudioSocket/127.0.0.1:8604-{FORK}"}
        assert {one["Receive"] for one in keys} == {"true"}


async def test_a_fork_that_runs_is_done_and_a_stop_hangs_it_up() -> None:
    async with wired() as site:
        call, leg = await busy(site)
        await site.done(await site.send(listen(call, leg)))
        assert (await site.done(await site.send(listen(call, leg)))).outcome == "done"
        assert len(site.switch.talk.actions("Originate")) == 1
        assert (await site.done(await site.send(ListenStop(fork_id=FORK)))).outcome == "done"
        assert site.switch.talk.actions("Hangup")[0]["Channel"] == f"AudioSocket/127.0.0.1:8604-{FORK}"
        refuses(site, "Hangup", "No such channel")
        assert (await site.done(await site.send(ListenStop(fork_id=OTHER)))).outcome == "done"
        assert site.switch.talk.actions("Hangup")[1]["Channel"] == f"listen-{OTHER}"


async def test_what_ran_before_is_known_again_after_a_reconnect() -> None:
    async with wired() as site:
        call, leg = await busy(site)
        await site.done(await site.send(listen(call, leg, side="agent", audio="mixed", speaks=True)))
        uid = f"listen-{FORK}"
        listed = {"Channel": f"AudioSocket/127.0.0.1:8604-{FORK}", "Uniqueid": uid, "Linkedid": uid, "ChannelState": 6}
        site.switch.answers["CoreShowChannels"] = lambda _, asked: [
            packet(Response="Success", ActionID=asked["ActionID"], EventList="start"),
            packet(
                Event="CoreShowChannel",
                ActionID=asked["ActionID"],
                **listed,
                Application="ChanSpy",
                ApplicationData="PJSIP/x,qudES",
            ),
            packet(Event="CoreShowChannelsComplete", ActionID=asked["ActionID"], EventList="Complete", ListItems=1),
        ]
        site.switch.talk.cut()
        await until(lambda: not site.connector.is_up)
        await site.pass_s(2)
        await until(lambda: site.connector.resyncs == 2)
        assert (await site.done(await site.send(ListenMode(fork_id=FORK, mode="whisper")))).outcome == "done"
        assert site.switch.talk.actions("PlayDTMF")[0]["Channel"] == listed["Channel"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"failure": "8"}, "could not connect to the relay at 127.0.0.1:8604"),
        ({"failure": "5"}, "reason 5"),
        ({"ends": True}, "no such call"),
        ({"wrong": True}, "another channel"),
    ],
)
async def test_a_leg_that_does_not_hear_fails_with_words_and_is_ended(how: dict[str, Any], words: str) -> None:
    async with wired() as site:
        call, leg = await busy(site)
        hears(site, **how)
        answer = await site.done(await site.send(listen(call, leg)))
        assert answer.outcome == "failed"
        assert words in answer.reason
        assert site.switch.talk.actions("Hangup")[0]["Channel"] == f"listen-{FORK}", "nothing goes on hearing"


async def test_a_switch_that_never_begins_is_given_up_in_time() -> None:
    async with wired(begin_s=4) as site:
        call, leg = await busy(site)
        site.switch.answers["Originate"] = lambda _, asked: [packet(Response="Success", ActionID=asked["ActionID"])]
        command = await site.send(listen(call, leg))
        await until(lambda: site.switch.talk.actions("Originate"))
        await site.pass_s(5)
        assert "within 4 s" in (await site.done(command)).reason
        assert site.switch.talk.actions("Hangup")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Permission denied", "may not Originate (write= in manager.conf)"),
        ("Originate Access Forbidden: app or data blacklisted", "may not Originate"),
        ("Invalid/unknown command: Originate", "the module that brings it is not loaded"),
    ],
)
async def test_what_the_switch_refuses_is_said_in_words(message: str, words: str) -> None:
    async with wired() as site:
        call, leg = await busy(site)
        refuses(site, "Originate", message)
        answer = await site.done(await site.send(listen(call, leg)))
        assert answer.outcome == "failed"
        assert words in answer.reason


@pytest.mark.parametrize(
    ("changed", "outcome", "words"),
    [
        ({"call_id": "1.1", "leg_id": "1.2"}, "failed", "the call is over"),
        ({"call_id": "1.1", "leg_id": "1.2", "side": "agent"}, "failed", "part in the call is over"),
        ({"call_id": "1.1", "leg_id": "", "side": "agent"}, "failed", "not in this call"),
        ({"fork_id": "17"}, "refused", "UUID"),
        ({"media": "http://example.org/"}, "refused", "no address of a relay"),
        ({"media": "audiosocket://127.0.0.1:8604/x\r\nAction: Reload"}, "refused", "no address of a relay"),
        ({"speaks": True, "audio": "mixed"}, "refused", "taps the agent's channel"),
        ({"mode": "barge"}, "refused", "hears only"),
    ],
)
async def test_what_cannot_be_asked_is_not_asked(changed: dict[str, Any], outcome: str, words: str) -> None:
    async with wired() as site:
        call, leg = await busy(site)
        answer = await site.done(await site.send(listen(call, leg, **changed)))
        assert answer.outcome == outcome
        assert words in answer.reason
        assert site.switch.talk.actions("Originate") == []


async def test_the_agent_s_leg_is_found_without_its_name_and_of_a_consultation() -> None:
    async with wired() as site:
        call, leg = await busy(site)
        phone = site.connector.mirror.state.channels[leg.leg_id].name
        for number, leg_id in enumerate(("", f"{leg.leg_id}/consult")):
            fork = f"{number}0325ec2-5efd-4bd3-805f-53576e581d13"
            await site.done(await site.send(listen(call, leg, leg_id=leg_id, side="agent", fork_id=fork)))
        assert [one["Data"] for one in site.switch.talk.actions("Originate")] == [f"{phone},quDES"] * 2


async def test_every_call_of_the_recorded_floor_is_found_by_its_customer_and_by_its_agent() -> None:
    """Of all calls there ever were: the customer's channel is a line to outside, the agent's a phone of that agent."""
    async with wired() as site:
        await site.up()
        mirror, asked = site.connector.mirror, 0
        seen: set[str] = set()
        for at, one in stream():
            site.clock.pause(max(0.0, at - site.clock.now().timestamp()))
            mirror.feed(site.connector.outbox.next_raw(one, "event"))
            for leg in list(mirror.state.legs.values()):
                if leg.leg_id in seen or leg.state != "talking" or leg.role != "agent":
                    continue
                seen.add(leg.leg_id)
                wanted = ListenStart(
                    fork_id=FORK,
                    call_id=leg.call,
                    leg_id=leg.leg_id,
                    agent_id=leg.agent_id,
                    side="agent",
                    audio="split",
                    media=MEDIA,
                )
                agents = mirror.target_of(wanted)
                customers = mirror.target_of(msgspec.structs.replace(wanted, side="customer"))
                assert agents.name.startswith(f"PJSIP/{leg.agent_id}-")
                assert customers.name.startswith("PJSIP/carrier-")
                asked += 1
        assert asked > 50


async def test_a_listening_leg_may_have_the_relay_where_this_switch_reaches_it() -> None:
    async with wired(media="10.8.0.1:8604") as site:
        call, leg = await busy(site)
        await site.done(await site.send(listen(call, leg)))
        assert site.switch.talk.actions("Originate")[0]["Channel"].startswith("AudioSocket/10.8.0.1:8604/")


async def test_agents_are_paused_and_logged_off_where_they_are_members() -> None:
    async with wired() as site:
        _, leg = await busy(site)
        members = site.connector.mirror.memberships(leg.agent_id)
        assert members
        assert (
            await site.done(await site.send(AgentPause(agent_id=leg.agent_id, reason="coaching")))
        ).outcome == "done"
        assert (
            await site.done(await site.send(AgentUnpause(agent_id=leg.agent_id, queue=members[0][0])))
        ).outcome == "done"
        pauses = site.switch.talk.actions("QueuePause")
        assert [(one["Queue"], one["Interface"]) for one in pauses] == [*members, members[0]]
        assert [one["Paused"] for one in pauses] == ["true"] * len(members) + ["false"]
        assert pauses[0]["Reason"] == "coaching"
        assert (await site.done(await site.send(AgentLogoff(agent_id=leg.agent_id)))).outcome == "done"
        removed = [(one["Queue"], one["Interface"]) for one in site.switch.talk.actions("QueueRemove")]
        assert removed == members


async def test_a_fixed_member_and_an_unknown_agent_are_told_apart() -> None:
    async with wired() as site:
        _, leg = await busy(site)
        refuses(site, "QueueRemove", "Member not dynamic")
        fixed = await site.done(await site.send(AgentLogoff(agent_id=leg.agent_id)))
        assert "fixed member" in fixed.reason
        unknown = await site.done(await site.send(AgentPause(agent_id="9999")))
        assert unknown.reason == "the agent is in no queue"
        crooked = await site.done(await site.send(AgentPause(agent_id=leg.agent_id, reason="x\r\nAction: Reload")))
        assert crooked.outcome == "refused"
        assert site.switch.talk.actions("Reload") == []


async def test_a_resync_asks_for_everything() -> None:
    async with wired() as site:
        await site.up()
        assert (await site.done(await site.send(Resync()))).outcome == "done"
        assert len(site.switch.talk.actions("QueueStatus")) == 2


async def test_without_a_link_a_command_fails_and_says_why() -> None:
    async with wired() as site:
        await site.switch.close()
        await site.start()
        await until(lambda: site.connector.failure is not None)
        answer = await site.done(await site.send(Resync()))
        assert answer.outcome == "failed"
        assert "connection refused" in answer.reason


async def test_a_link_that_is_lost_meanwhile_is_told() -> None:
    async with wired() as site:
        call, leg = await busy(site)
        site.switch.deaf.add("Originate")
        command = await site.send(listen(call, leg))
        await until(lambda: site.switch.talk.actions("Originate"))
        site.switch.talk.cut()
        assert "link to the switch was lost" in (await site.done(command)).reason


async def test_commands_may_be_left_to_another_connector() -> None:
    async with wired(commands=False) as site:
        await site.up()
        command = await site.send(Resync())
        await site.pass_s(2)
        assert site.answers(command) == []
