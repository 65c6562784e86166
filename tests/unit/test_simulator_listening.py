"""Listening to the simulated floor: commands, sockets, bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from services.ingest.connectors.simulator.sound.forks import Fork
from services.ingest.connectors.simulator.sound.stage import Call
from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from shared import events
from shared.commands import AgentLogoff, AgentPause, AgentUnpause, ListenMode, ListenStart, ListenStop, Mode, Resync
from shared.envelope import Data
from shared.siteconfig import Sites
from tests.audiokit import DTMF, MONO_FRAME, RATE, STEREO_FRAME, AudioConnection, frame, goertzel, split, tone
from tests.simulatedsound import (
    AGENT,
    COLLEAGUE,
    CUSTOMER,
    MUSIC,
    RINGBACK,
    STEP_S,
    WHISPER,
    ListeningFloor,
    listening_floor,
    sides,
    tones_in,
)
from tests.waiting import until


@pytest.fixture
async def floor() -> AsyncIterator[ListeningFloor]:
    async with listening_floor() as running:
        yield running


# ---------------------------------------------------------------- what is heard


@pytest.mark.parametrize(("side", "expected"), [("agent", (AGENT, CUSTOMER)), ("customer", (CUSTOMER, AGENT))])
async def test_each_side_has_its_channel(floor: ListeningFloor, side: str, expected: tuple[int, int]) -> None:
    heard = await floor.listen(floor.talking()[0], side="agent" if side == "agent" else "customer")
    pcm = await floor.heard(heard)
    assert sides(pcm) == ({expected[0]}, {expected[1]})
    assert set(heard.sizes) == {STEREO_FRAME}
    for channel, hz in zip(split(pcm), expected, strict=True):
        assert goertzel(channel, RATE, hz) == pytest.approx(6000, rel=0.02)


async def test_mixed_has_both_in_one(floor: ListeningFloor) -> None:
    heard = await floor.listen(floor.talking()[0], mixed=True)
    assert tones_in(await floor.heard(heard)) == {AGENT, CUSTOMER}
    assert set(heard.sizes) == {MONO_FRAME}


async def test_fifty_frames_a_second_come_by_the_clock(floor: ListeningFloor) -> None:
    heard = await floor.listen(floor.talking()[0], side="customer")
    await floor.heard(heard, 1)
    before = len(heard.sizes)
    await floor.advance(2)
    await floor.until(lambda: len(heard.sizes) >= before + 100)
    assert len(heard.sizes) == before + 100


async def test_a_pause_is_made_up_for_and_a_long_one_left_out(floor: ListeningFloor) -> None:
    heard = await floor.listen(floor.talking()[0], side="customer")
    await floor.heard(heard, 5)
    (fork,) = floor.connector.forks.open()
    for stood_still_s, made_up in ((0.1, 5), (3.0, 10)):
        before = fork.connection.sent
        floor.clock.pause(stood_still_s)
        await floor.advance(0.1)
        assert made_up + 4 <= fork.connection.sent - before <= made_up + 6
    assert fork.connection.left_out == 0


async def test_nobody_speaks_faster_on_a_faster_floor() -> None:
    async with listening_floor(speed=5.0) as floor:
        heard = await floor.listen(floor.talking()[0], side="customer")
        pcm = await floor.heard(heard, 5)
        assert sides(pcm) == ({CUSTOMER}, {AGENT})
        (fork,) = floor.connector.forks.open()
        before = fork.connection.sent
        await floor.advance(0.2)
        assert fork.connection.sent == before + 10
        await floor.until(lambda: any(call.talk_from > 0 for call in floor.talking()))
        latest = max(call.talk_from for call in floor.talking())
        assert latest <= floor.clock.monotonic() / STEP_S, "what is answered now was answered now"


# ---------------------------------------------------------------- how it is told


async def test_it_is_taken_told_and_done_in_this_order(floor: ListeningFloor) -> None:
    call = floor.talking()[0]
    order = floor.order_of(call, side="customer")
    answer = await floor.obeyed(order)
    assert (answer.action, answer.fork_id, answer.call_id) == ("listen_start", order.fork_id, call.id)
    said = [
        one.outcome if isinstance(one, events.CommandAnswered) else one
        for one in floor.told
        if isinstance(one, events.CommandAnswered | events.ListenStarted)
    ]
    started = said.pop(1)
    assert said == ["taken", "done"]
    assert isinstance(started, events.ListenStarted)
    assert started.ticket == order.fork_id
    assert started.call_id == call.id
    assert started.agent_id == floor.stage.legs[call.partner].agent_id
    await floor.obeyed(ListenStop(fork_id=order.fork_id))
    await floor.until(lambda: events.ListenEnded(listen_id=started.listen_id) in floor.told)


async def test_stopping_twice_is_done_twice(floor: ListeningFloor) -> None:
    order = floor.order_of(floor.talking()[0])
    await floor.obeyed(order)
    heard = await floor.media.of(order.fork_id)
    await floor.obeyed(ListenStop(fork_id=order.fork_id))
    await floor.until(lambda: heard.over)
    assert set(heard.kinds) == {0x01, 0x10} or set(heard.kinds) == {0x01}, "no frame says goodbye"
    await floor.obeyed(ListenStop(fork_id=order.fork_id))
    assert sum(isinstance(one, events.ListenEnded) for one in floor.told) == 1


async def test_a_command_that_comes_twice_is_carried_out_once(floor: ListeningFloor) -> None:
    order = floor.order_of(floor.talking()[0])
    for _ in range(2):
        await floor.order(order, id="the-same")
    await floor.answered("the-same")
    await floor.advance(0.5)
    assert [one.outcome for one in floor.answers("the-same")] == ["taken", "done"]
    assert len(floor.media.connections) == 1


async def test_what_comes_too_late_is_not_carried_out(floor: ListeningFloor) -> None:
    id = await floor.order(floor.order_of(floor.talking()[0]), expires_s=-0.1)
    assert (await floor.answered(id)).outcome == "expired"
    await floor.advance(0.2)
    assert floor.media.connections == []


# ---------------------------------------------------------------- what cannot be


async def test_what_is_not_there_is_said_in_words(floor: ListeningFloor) -> None:
    good = floor.order_of(floor.talking()[0])
    one, two = floor.talking()[:2]
    for order, outcome, words in (
        (replace(good, call_id="call-none"), "failed", "the call is over"),
        (replace(good, leg_id="leg-none"), "failed", "no longer in this call"),
        (replace(good, agent_id="9999"), "failed", "no longer in this call"),
        (replace(good, call_id=one.id, leg_id=two.partner), "failed", "no longer in this call"),
        (replace(good, media="audiosocket://127.0.0.1:1"), "failed", "nobody takes the sound"),
        (replace(good, media="http://127.0.0.1:1"), "refused", "audiosocket://"),
        (replace(good, fork_id="seven"), "refused", "not a UUID"),
        (replace(good, mode="whisper"), "refused", "only listen"),
        (replace(good, speaks=True, side="customer", audio="mixed"), "refused", "taps the agent"),
    ):
        assert words in (await floor.obeyed(order, outcome=outcome)).reason
    assert not any(isinstance(one, events.ListenStarted) for one in floor.told)
    assert floor.media.connections == []


async def test_nobody_listens_of_whom_nothing_can_be_told(floor: ListeningFloor) -> None:
    order = floor.order_of(floor.talking()[0])
    forks = floor.connector.forks
    start = forks.start

    async def then_the_broker_goes(wanted: ListenStart) -> Fork:
        fork = await start(wanted)
        floor.bus.break_down()
        return fork

    forks.start = then_the_broker_goes  # type: ignore[method-assign]
    await floor.order(order)
    heard = await floor.media.of(order.fork_id)
    await heard.ended()
    assert heard.kinds == [0x01]
    assert len(forks) == 0


async def test_a_fork_is_there_once(floor: ListeningFloor) -> None:
    order = floor.order_of(floor.talking()[0])
    await floor.obeyed(order)
    assert "already" in (await floor.obeyed(order, outcome="failed")).reason


async def test_a_call_that_ends_while_it_is_connected_is_a_connection_without_sound(floor: ListeningFloor) -> None:
    call = floor.talking()[0]
    order = floor.order_of(call)
    leg = floor.stage.legs[order.leg_id]

    async def ends_meanwhile() -> None:
        await floor.media.of(order.fork_id)
        floor.stage.apply(0, events.LegCleared(call_id=call.id, leg_id=leg.id))

    # both happen before the switch looks again: the connection is there, and the leg is gone
    start = asyncio.create_task(floor.connector.forks.start(order))
    connect = asyncio.get_running_loop().create_connection

    async def slowly(*args: object, **named: object) -> object:
        made = await connect(*args, **named)  # type: ignore[arg-type]
        await ends_meanwhile()
        return made

    asyncio.get_running_loop().create_connection = slowly  # type: ignore[method-assign, assignment]
    try:
        with pytest.raises(Exception, match="no longer in this call"):
            await start
    finally:
        asyncio.get_running_loop().create_connection = connect  # type: ignore[method-assign]
    heard = await floor.media.of(order.fork_id)
    await heard.ended()
    assert heard.kinds == [0x01]


# ---------------------------------------------------------------- hold, transfer, hang-up


async def test_on_hold_the_customer_hears_music_and_the_agents_line_still_both(floor: ListeningFloor) -> None:
    call = await _next(floor, events.LegHeld)
    customer, agent = await floor.listen(call, side="customer"), await floor.listen(call)
    if not call.held:
        pytest.fail("this call was held too briefly; another seed would do")
    assert sides(await floor.heard(customer, 5)) == ({CUSTOMER}, {MUSIC})
    assert sides(await floor.heard(agent, 5)) == ({AGENT}, {CUSTOMER})
    await floor.until(lambda: not call.held or customer.over, step_s=0.2)
    if not customer.over:
        await floor.heard(customer, 2)
        assert sides(await floor.heard(customer, 5)) == ({CUSTOMER}, {AGENT})


async def _next(floor: ListeningFloor, kind: type[Data], so: Callable[[Any], bool] = lambda data: True) -> Call:
    """The next customer's call to which this happens, the moment it does."""
    while True:
        seen = len(floor.told)
        await floor.advance(STEP_S)
        for data in floor.told[seen:]:
            call = floor.stage.calls.get(getattr(data, "call_id", ""))
            if isinstance(data, kind) and so(data) and call is not None and not call.internal and call.partner:
                return call


@pytest.mark.parametrize("kind", ["blind", "attended"])
async def test_the_agents_line_ends_at_a_transfer_and_the_customers_goes_on(floor: ListeningFloor, kind: str) -> None:
    call = await _next(floor, events.TransferRequested, lambda data: data.kind == kind)
    first = call.partner
    agent, customer = await floor.listen(call), await floor.listen(call, side="customer")
    await floor.until(lambda: agent.over)
    assert not customer.over
    assert floor.stage.legs.get(first) is None

    def has_another() -> bool:
        return call.partner != "" and floor.stage.legs[call.partner].state == "talking"

    await floor.until(lambda: customer.over or has_another())
    assert not customer.over, "this customer did not wait; another seed would do"
    await floor.heard(customer, 1)
    assert sides(await floor.heard(customer)) == ({CUSTOMER}, {AGENT})


async def test_everything_ends_when_the_call_does(floor: ListeningFloor) -> None:
    calls = floor.talking()[-3:]  # the longest, so that it ends soon
    forks = [await floor.listen(call, side=side) for call in calls for side in ("agent", "customer")]  # type: ignore[arg-type]
    await floor.until(lambda: all(fork.over for fork in forks), step_s=0.5)
    assert {kind for fork in forks for kind in fork.kinds} == {0x01, 0x10}, "no frame says goodbye"
    started = {data.listen_id for data in floor.told if isinstance(data, events.ListenStarted)}
    await floor.until(lambda: sum(isinstance(one, events.ListenEnded) for one in floor.told) == len(forks))
    assert {data.listen_id for data in floor.told if isinstance(data, events.ListenEnded)} == started
    assert len(floor.connector.forks) == 0


async def test_a_server_that_closes_ends_the_fork_at_once(floor: ListeningFloor) -> None:
    order = floor.order_of(floor.talking()[0], side="customer")
    await floor.obeyed(order)
    heard = await floor.media.of(order.fork_id)
    await floor.heard(heard, 3)
    at = floor.clock.now()
    heard.close()
    ended = events.ListenEnded(listen_id=f"listen-{order.fork_id}")
    await floor.until(lambda: ended in floor.told)
    assert floor.clock.now() - at < timedelta(seconds=0.6)
    assert len(floor.connector.forks) == 0


async def test_a_server_that_reads_nothing_is_sent_no_more(floor: ListeningFloor) -> None:
    order = floor.order_of(floor.talking()[0], side="customer")
    await floor.obeyed(order)
    heard = await floor.media.of(order.fork_id)
    heard.stop_reading()
    (fork,) = floor.connector.forks.open()
    for tick in range(20_000):  # 13 MB, more than sockets hold
        floor.connector.forks._send(tick)
    assert fork.connection.left_out > 0
    assert fork.connection.unsent <= 100_000


# ---------------------------------------------------------------- who waits


async def test_who_waits_hears_music_and_who_is_called_a_ringing(floor: ListeningFloor) -> None:
    await floor.until(lambda: any(call.queue for call in floor.stage.calls.values()), step_s=0.02)
    call = next(call for call in floor.stage.calls.values() if call.queue)
    heard = await floor.listen(call, side="customer")
    await floor.heard(heard, 1)
    if call.queue:
        assert sides(await floor.heard(heard, 3))[1] == {MUSIC}

    def dials() -> list[str]:
        return [leg.id for leg in floor.stage.legs.values() if leg.state == "dialing"]

    await floor.until(dials)
    leg = floor.stage.legs[dials()[0]]
    heard = await floor.listen(floor.stage.calls[leg.call_id], leg=leg)
    assert sides(await floor.heard(heard, 5))[1] <= {RINGBACK}


async def test_colleagues_can_be_heard_and_have_no_customer(floor: ListeningFloor) -> None:
    def consulting() -> list[str]:
        return [call.id for call in floor.stage.calls.values() if call.internal and call.talk]

    await floor.until(consulting)
    call = floor.stage.calls[consulting()[0]]
    heard = await floor.listen(call)
    assert sides(await floor.heard(heard, 5)) == ({AGENT}, {COLLEAGUE})
    order = replace(floor.order_of(call), fork_id=str(uuid4()), side="customer")
    assert "no customer" in (await floor.obeyed(order, outcome="failed")).reason


# ---------------------------------------------------------------- whisper and barge


async def _speak(floor: ListeningFloor, order: ListenStart, speaks: AudioConnection) -> None:
    """Eight frames, which the switch has before time goes on, if it takes any."""
    for _ in range(8):
        speaks.send(tone(WHISPER, 5000, 20))
    (fork,) = [one for one in floor.connector.forks.open() if one.id == order.fork_id]
    if fork.mode != "listen":
        await until(lambda: len(fork.connection._spoken) == 8, "all of it is there")


@pytest.mark.parametrize(("mode", "heard_by"), [("listen", ""), ("whisper", "agent"), ("barge", "agent customer")])
async def test_who_hears_what_is_spoken(floor: ListeningFloor, mode: Mode, heard_by: str) -> None:
    call = floor.talking()[0]
    order = floor.order_of(call, speaks=True)
    await floor.obeyed(order)
    speaks = await floor.media.of(order.fork_id)
    ears = {side: await floor.listen(call, side=side) for side in ("agent", "customer")}  # type: ignore[arg-type]
    await floor.obeyed(ListenMode(fork_id=order.fork_id, mode=mode))
    before = {side: len(ear.pcm) for side, ear in ears.items()}
    await _speak(floor, order, speaks)
    await floor.advance(0.4)
    for side, ear in ears.items():
        own, hears = sides(bytes(ear.pcm[before[side] :])[: 10 * STEREO_FRAME])
        assert (WHISPER in hears) == (side in heard_by), side
        assert WHISPER not in own


async def test_one_leg_is_switched_to_and_fro(floor: ListeningFloor) -> None:
    call = floor.talking()[0]
    order = floor.order_of(call, speaks=True, mode="whisper")
    await floor.obeyed(order)
    speaks, ear = await floor.media.of(order.fork_id), await floor.listen(call)
    for mode, heard in (("listen", False), ("whisper", True), ("listen", False)):
        await floor.obeyed(ListenMode(fork_id=order.fork_id, mode=mode))  # type: ignore[arg-type]
        before = len(ear.pcm)
        await _speak(floor, order, speaks)
        await floor.advance(0.4)
        assert (WHISPER in sides(bytes(ear.pcm[before:])[: 10 * STEREO_FRAME])[1]) == heard
    assert len(floor.media.connections) == 2


async def test_only_a_fork_that_speaks_changes_its_mode(floor: ListeningFloor) -> None:
    order = floor.order_of(floor.talking()[0])
    await floor.obeyed(order)
    assert (
        "only listen" in (await floor.obeyed(ListenMode(fork_id=order.fork_id, mode="barge"), outcome="refused")).reason
    )
    gone = ListenMode(fork_id=str(uuid4()), mode="barge")
    assert "over" in (await floor.obeyed(gone, outcome="failed")).reason


@pytest.mark.parametrize("data", [frame(DTMF, b"5"), frame(0x00), frame(0xFF, b"\x01")])
async def test_anything_but_sound_ends_the_leg(floor: ListeningFloor, data: bytes) -> None:
    order = floor.order_of(floor.talking()[0], speaks=True)
    await floor.obeyed(order)
    speaks = await floor.media.of(order.fork_id)
    speaks.send_raw(data[:2])
    await floor.advance(0.1)
    assert not speaks.over
    speaks.send_raw(data[2:])
    await floor.until(lambda: speaks.over)
    await floor.until(lambda: events.ListenEnded(listen_id=f"listen-{order.fork_id}") in floor.told)


# ---------------------------------------------------------------- the end


async def test_a_switch_that_goes_says_that_nobody_listens_any_more(floor: ListeningFloor) -> None:
    order: ListenStart = floor.order_of(floor.talking()[0])
    await floor.obeyed(order)
    await floor.connector.stop("enough")
    await floor.look()
    assert floor.told[-2:] == [
        events.ListenEnded(listen_id=f"listen-{order.fork_id}"),
        events.LinkDown(connector="simulator", reason="enough"),
    ]


# ---------------------------------------------------------------- what agents are told to do


async def test_agents_are_paused_and_come_back(floor: ListeningFloor) -> None:
    agent = floor.stage.legs[floor.talking()[0].partner].agent_id
    await floor.obeyed(AgentPause(agent_id=agent, reason="coaching"))
    away = events.AgentNotReady(agent_id=agent, reason="coaching")
    await floor.until(lambda: away in floor.told, step_s=1)
    await floor.obeyed(AgentUnpause(agent_id=agent))
    back = events.AgentReady(agent_id=agent)
    await floor.until(lambda: back in floor.told[floor.told.index(away) :])
    await floor.obeyed(AgentLogoff(agent_id=agent))
    await floor.until(lambda: events.AgentLoggedOff(agent_id=agent) in floor.told, step_s=1)
    assert "not logged on" in (await floor.obeyed(AgentPause(agent_id=agent), outcome="failed")).reason
    assert "all queues" in (await floor.obeyed(AgentPause(agent_id=agent, queue="sales"), outcome="refused")).reason


async def test_a_snapshot_says_what_everybody_knows(floor: ListeningFloor) -> None:
    await floor.listen(floor.talking()[0])
    await floor.advance(30)
    await floor.obeyed(Resync())
    (snapshot,) = [one for one in floor.told if isinstance(one, events.Snapshot)]
    assert snapshot.agents
    assert snapshot.legs
    assert set(snapshot.calls or ()) >= set().union(*(snapshot.queues or {}).values())
    engine = Engine(Sites(), RuleBook(()))
    for event in floor.events:
        engine.apply(event)
    assert engine.anomalies("demo") == {}, "nothing that it names is unknown, nothing that is known was not named"
