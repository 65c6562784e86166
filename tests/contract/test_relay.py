"""The relay: what a switch sends is what a page hears, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect

from services.monitor.listen.contract import (
    ForkDown,
    ForkEnded,
    ForkRefused,
    ForkUp,
    ListenerHeard,
    ListenerJoined,
    ListenerLeft,
    RelayStarted,
)
from services.monitor.listen.relay import hub, listener, wire
from shared.envelope import Data
from tests import audiokit
from tests.audiokit import AudioCaller, goertzel, interleave, split, tone
from tests.relaykit import SITE, Page, Running, forked, running

AGENT_HZ, CUSTOMER_HZ = 1000, 440


@pytest.fixture
async def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setattr("services.monitor.listen.relay.fork._GAP_S", 60.0)
    async with running(tmp_path, late_s=60.0) as it:  # a busy machine shall not look like a stalled network
        yield it


def voices(ms: int, *, tapped_hz: float = AGENT_HZ, heard_hz: float = CUSTOMER_HZ) -> bytes:
    """Both sides as a tapped channel gives them: its own voice left."""
    return interleave(tone(tapped_hz, 8000, ms), tone(heard_hz, 5000, ms))


async def listening(relay: Running, **fork: object) -> tuple[str, str, AudioCaller, Page]:
    """A fork that is up, and one page that hears it: fork, listen, switch, page."""
    fork_id = await relay.fork(**fork)
    listen_id = await relay.listen(fork_id)
    switch = await relay.call(fork_id)
    page = await relay.page(listen_id)
    await page.told("hello")
    return fork_id, listen_id, switch, page


async def all_heard(relay: Running, listen_id: str, times: int = 1) -> ListenerHeard:
    """How much a page that left was sent in all, said before it is said that it left; reports before that are of a part."""
    await relay.reported(ListenerLeft, times, listen_id=listen_id)
    return await relay.reported(ListenerHeard, listen_id=listen_id)


async def test_bytes_in_are_bytes_out_and_the_page_is_told_how_it_is(relay: Running) -> None:
    fork_id, listen_id, switch, page = await listening(relay)
    await page.told("state", state="starting", channels=0)
    sound = voices(400)
    await switch.play(sound, audiokit.STEREO_FRAME)
    await page.heard(20)
    assert page.pcm == sound
    assert [one.sequence for one in page.frames] == list(range(20))
    assert {(one.version, one.channels, one.khz, one.flags) for one in page.frames} == {(1, 2, 8, 0)}
    now_us = relay.clock.now().timestamp() * 1e6
    assert all(0 <= now_us - one.captured_us < 60e6 for one in page.frames)
    state = await page.told("state", state="live", channels=2, rate_hz=8000, fork_id=fork_id)
    assert state["listeners"] == ["ina"]
    assert page.texts[0]["type"] == "hello"
    assert page.texts[0]["listen_id"] == listen_id
    up = await relay.reported(ForkUp)
    assert (up.fork_id, up.channels, up.rate_hz) == (fork_id, 2, 8000)
    await relay.reported(ListenerJoined, listen_id=listen_id)
    await page.told("stats", received=20, lost=0, late=0, discarded=0)
    await page.close()
    heard = await all_heard(relay, listen_id)
    assert (heard.fork_id, heard.bytes, heard.seconds, heard.discarded) == (fork_id, len(sound), 0.4, 0)
    assert relay.reports(ListenerLeft)[-1].how == "closed"
    await relay.reported(ForkDown)
    order = [type(one) for one in relay.reports(Data)]
    assert order[-3:] == [ListenerHeard, ListenerLeft, ForkDown], "it was left, not lost"


@pytest.mark.parametrize("side", ["agent", "customer"])
async def test_the_agent_is_left_and_the_customer_right_whoever_is_tapped(relay: Running, side: str) -> None:
    _, _, switch, page = await listening(relay, side=side)
    tapped = (AGENT_HZ, CUSTOMER_HZ) if side == "agent" else (CUSTOMER_HZ, AGENT_HZ)
    await switch.play(voices(200, tapped_hz=tapped[0], heard_hz=tapped[1]), audiokit.STEREO_FRAME)
    await page.heard(10)
    left, right = split(page.pcm)
    assert goertzel(left, 8000, AGENT_HZ) > 4000 > 200 > goertzel(left, 8000, CUSTOMER_HZ)
    assert goertzel(right, 8000, CUSTOMER_HZ) > 4000 > 200 > goertzel(right, 8000, AGENT_HZ)


async def test_a_mixed_fork_is_one_channel_and_so_is_one_that_should_have_been_split(relay: Running) -> None:
    for audio in ("mixed", "split"):
        _, _, switch, page = await listening(relay, audio=audio)
        await switch.play(tone(440, 8000, 100), audiokit.MONO_FRAME)
        await page.heard(5)
        assert page.pcm == tone(440, 8000, 100)
        assert page.frames[0].channels == 1


async def test_sound_of_16_khz_stays_so_and_of_other_rates_is_refused(relay: Running) -> None:
    fork_id, _, switch, page = await listening(relay, audio="mixed")
    sound = tone(440, 8000, 100, rate=16000)
    for one in audiokit.chunks(sound, 640):
        switch.back.send_raw(audiokit.frame(0x12, one))
    await page.heard(5)
    assert (page.pcm, page.frames[0].khz) == (sound, 16)
    switch.back.send_raw(audiokit.frame(0x10, bytes(320)))
    down = await relay.reported(ForkDown, fork_id=fork_id)
    assert down.how == "bad_audio"
    other, _, switch, _ = await listening(relay)
    switch.back.send_raw(audiokit.frame(0x16, bytes(1920)))
    down = await relay.reported(ForkDown, fork_id=other)
    assert (down.how, "slin16" in down.detail) == ("bad_audio", True)


async def test_twenty_listeners_of_one_fork_hear_the_same_and_the_last_one_ends_it(relay: Running) -> None:
    fork_id = await relay.fork()
    listens = [await relay.listen(fork_id, user=f"u{number}") for number in range(20)]
    switch = await relay.call(fork_id)
    pages = [await relay.page(listen_id, f"u{number}") for number, listen_id in enumerate(listens)]
    await pages[0].told("state", listeners=[f"u{number}" for number in range(20)])
    sound = voices(200)
    await switch.play(sound, audiokit.STEREO_FRAME)
    for page in pages:
        await page.heard(10)
        assert page.pcm == sound
    await relay.reported(ForkUp)
    assert len(relay.reports(ForkUp)) == 1
    for page in pages[1:]:
        await page.close()
    await pages[0].told("state", listeners=["u0"])
    assert not switch.back.over
    assert relay.reports(ForkDown) == []
    await pages[0].close()
    await switch.back.ended()
    down = await relay.reported(ForkDown, fork_id=fork_id)
    assert (down.how, down.detail, down.frames) == ("closed", "the last listener left", 10)
    assert 0x03 not in switch.back.kinds
    assert await relay.metric('relay_listeners_left_total{how="closed"}') == 20
    assert await relay.metric("relay_frames_out_total") == 200


async def test_who_joins_later_hears_the_running_fork_from_its_next_frame_on(relay: Running) -> None:
    fork_id, _, switch, first = await listening(relay)
    await switch.play(voices(200), audiokit.STEREO_FRAME)
    await first.heard(10)
    late = await relay.page(await relay.listen(fork_id, user="ben"), "ben")
    await late.told("state", state="live", listeners=["ina", "ben"])
    await switch.play(voices(100), audiokit.STEREO_FRAME)
    await late.heard(5)
    assert [one.sequence for one in late.frames] == list(range(10, 15))
    await first.told("state", listeners=["ina", "ben"])


async def test_a_fork_that_nobody_ordered_is_refused_counted_and_reported(relay: Running) -> None:
    fork_id = str(uuid4())
    switch = await relay.call(fork_id)
    await switch.back.ended()
    refused = await relay.reported(ForkRefused)
    assert (refused.fork_id, refused.relay) == (fork_id, "relay")
    assert refused.peer.startswith("127.0.0.1:")
    assert await relay.metric('relay_refused_total{reason="unknown"}') == 1


async def test_a_switch_may_be_faster_than_the_order(relay: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "FORK_WAIT_S", 60.0)
    fork_id = str(uuid4())
    switch = await relay.call(fork_id)
    await switch.send(voices(20))
    await relay.order(forked(fork_id, relay.clock.now()))
    await relay.reported(ForkUp, fork_id=fork_id)
    assert not switch.back.over


async def test_a_second_connection_of_a_fork_is_refused_and_the_first_goes_on(relay: Running) -> None:
    fork_id, _, switch, page = await listening(relay)
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    second = await relay.call(fork_id)
    await second.back.ended()
    await relay.reported(ForkRefused, fork_id=fork_id)
    assert await relay.metric('relay_refused_total{reason="second"}') == 1
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await page.heard(4)


@pytest.mark.parametrize(
    ("bytes_", "reason"),
    [(audiokit.frame(0x10, bytes(320)), "malformed"), (b"GET / HTTP/1.1\r\n\r\n", "malformed")],
)
async def test_what_is_no_audiosocket_is_refused(relay: Running, bytes_: bytes, reason: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.media_port)
    writer.write(bytes_)
    with contextlib.suppress(ConnectionError):  # a reset, or an end
        async with asyncio.timeout(60):
            assert await reader.read(100) == b""
    assert await relay.metric(f'relay_refused_total{{reason="{reason}"}}') == 1
    writer.close()


async def test_closed_before_the_first_frame_means_no_such_call(relay: Running) -> None:
    fork_id = await relay.fork()
    switch = await relay.call(fork_id)
    await switch.close()
    down = await relay.reported(ForkDown, fork_id=fork_id)
    assert (down.how, down.frames) == ("no_sound", 0)
    assert "no such call" in down.detail


async def test_a_fork_that_never_comes_is_given_up(relay: Running) -> None:
    fork_id = await relay.fork(expires=relay.clock.now() + timedelta(seconds=1))
    down = await relay.reported(ForkDown, fork_id=fork_id)
    assert down.how == "never_came"
    switch = await relay.call(fork_id)
    await switch.back.ended()
    assert await relay.metric('relay_refused_total{reason="ended"}') == 1


async def test_the_switch_hangs_up_and_the_next_fork_is_heard_on_the_same_connection(relay: Running) -> None:
    fork_id, listen_id, switch, page = await listening(relay)
    await switch.play(voices(100), audiokit.STEREO_FRAME)
    await page.heard(5)
    await switch.close()
    down = await relay.reported(ForkDown, fork_id=fork_id)
    assert (down.how, down.frames, down.seconds) == ("hung_up", 5, 0.1)
    await relay.listen("", listen_id, state="waiting", reason="call_over")
    await page.told("state", state="waiting", reason="call_over", fork_id="")
    other = await relay.fork(side="customer")
    await relay.listen(other, listen_id, state="live", call_id="c2")
    await page.told("state", fork_id=other)
    switch = await relay.call(other)
    await switch.play(voices(100), audiokit.STEREO_FRAME)
    await page.heard(10)
    assert [one.sequence for one in page.frames[5:]] == list(range(5))
    await page.told("state", state="live", fork_id=other, call_id="c2")
    heard = await relay.reported(ListenerHeard, fork_id=fork_id)
    assert heard.seconds == 0.1


async def test_a_hang_up_frame_ends_it_too(relay: Running) -> None:
    fork_id, _, switch, page = await listening(relay)
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await page.heard(2)
    switch.back.send_raw(audiokit.frame(audiokit.HANGUP))
    assert (await relay.reported(ForkDown, fork_id=fork_id)).how == "hung_up"
    await switch.back.ended()


async def test_the_monitor_ends_a_fork(relay: Running) -> None:
    fork_id, _, switch, _ = await listening(relay)
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await relay.order(ForkEnded(fork_id=fork_id, reason="policy"))
    await switch.back.ended()
    down = await relay.reported(ForkDown, fork_id=fork_id)
    assert (down.how, down.detail) == ("closed", "policy")
    second = await relay.call(fork_id)
    await second.back.ended()
    assert await relay.metric('relay_refused_total{reason="ended"}') == 1


async def test_on_hold_nothing_is_passed_on_to_those_whose_policy_says_so(relay: Running) -> None:
    fork_id, listen_id, switch, page = await listening(relay)
    other = await relay.page(await relay.listen(fork_id, user="ben"), "ben")
    await other.told("hello")
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await page.heard(2)
    await relay.listen(fork_id, listen_id, muted="hold")
    await page.told("state", muted="hold")
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await page.heard(4)
    await other.heard(4)
    assert [one.flags & wire.MUTED for one in page.frames[2:]] == [wire.MUTED] * 2
    assert set(page.frames[2].pcm + page.frames[3].pcm) == {0}
    assert other.pcm == voices(40) * 2
    await relay.listen(fork_id, listen_id, muted="")
    await page.told("state", muted="")
    await switch.play(voices(20), audiokit.STEREO_FRAME)
    await page.heard(5)
    assert page.frames[4].pcm == voices(20)
    await page.close()
    heard = await all_heard(relay, listen_id)
    assert heard.seconds == 0.06  # what was kept back was not heard


async def test_the_microphone_reaches_the_switch_while_the_mode_says_so(relay: Running) -> None:
    fork_id, listen_id, switch, page = await listening(relay)
    mouth = await relay.fork(speaks=True, audio="mixed")
    ear = await relay.call(mouth)
    await ear.send(bytes(320))
    await relay.reported(ForkUp, fork_id=mouth)
    await page.socket.send(bytes(320))  # not yet
    await page.answered()
    voice = audiokit.chunks(tone(700, 6000, 100), 320)
    await relay.listen(fork_id, listen_id, mode="whisper", speak_fork_id=mouth)
    await page.told("state", mode="whisper", speaking=True)
    for one in voice:
        await page.socket.send(one)
    await ear.back.reached(5)
    assert bytes(ear.back.pcm) == b"".join(voice)
    assert set(ear.back.kinds) == {audiokit.AUDIO}
    assert ear.back.times[-1] - ear.back.times[0] > 0.03  # not all at once, though they came so
    await page.told("stats", spoken=5, spoken_discarded=1)
    await relay.listen(fork_id, listen_id, mode="listen", speak_fork_id="")
    await page.told("state", mode="listen", speaking=False)
    await page.socket.send(voice[0])
    await page.told("stats", spoken_discarded=2)
    assert not ear.back.over
    assert page.frames == []  # of the speaking fork nothing is passed on
    await page.close()
    await ear.back.ended()
    assert (await relay.reported(ForkDown, fork_id=mouth)).detail == "the speaker left"
    assert switch.back.kinds == []


async def test_ulaw_under_the_label_of_pcm_is_refused_with_what_to_do(relay: Running) -> None:
    fork_id, _, switch, page = await listening(relay)
    await switch.send(b"\xff" * 160)
    await page.answered()  # by then the relay has it: the time from there to the eleventh frame is not too short
    with contextlib.suppress(ConnectionError):  # it is hung up while it speaks
        await switch.play(b"\xff" * 160 * 15, 160)
    down = await relay.reported(ForkDown, fork_id=fork_id)
    assert (down.how, "ask for slin" in down.detail) == ("bad_audio", True)
    await switch.back.ended()
    assert page.frames == []
    assert await relay.metric('relay_refused_total{reason="bad_audio"}') == 1


async def test_a_page_that_answers_no_pings_is_gone_within_two_seconds_and_so_is_the_leg(relay: Running) -> None:
    fork_id, listen_id, switch, page = await listening(relay)
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await page.heard(2)
    assert listener.SILENT_S + listener.TICK_S < 1.9
    page.socket.transport.pause_reading()  # a browser that was frozen, a cable that was pulled
    await switch.back.ended()
    left = await relay.reported(ListenerLeft, listen_id=listen_id)
    assert left.how == "lost"
    down = await relay.reported(ForkDown, fork_id=fork_id)
    assert down.detail == "the last listener left"
    page.socket.transport.abort()


async def test_a_page_whose_connection_breaks_is_lost_and_comes_back_to_the_same_listen(relay: Running) -> None:
    fork_id, listen_id, switch, page = await listening(relay)
    other = await relay.page(await relay.listen(fork_id, user="ben"), "ben")
    await other.told("hello")
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await page.heard(2)
    page.socket.transport.abort()
    assert (await relay.reported(ListenerLeft, listen_id=listen_id)).how == "lost"
    again = await relay.page(listen_id)
    await again.told("state", state="live")
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await again.heard(2)
    await other.heard(4)
    await again.close()
    assert (await all_heard(relay, listen_id, 2)).seconds == 0.08  # of both times


async def test_a_second_connection_of_a_listen_takes_it_over(relay: Running) -> None:
    _, listen_id, switch, page = await listening(relay)
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await page.heard(2)
    again = await relay.page(listen_id)
    assert await page.closed() == wire.TAKEN_OVER
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await again.heard(2)
    assert relay.reports(ListenerLeft) == []
    assert not switch.back.over


async def test_a_page_that_does_not_read_slows_nobody_and_is_let_go(
    relay: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "SILENT_S", 60.0)
    monkeypatch.setattr(listener, "STUCK_S", 600.0)
    fork_id, _, switch, page = await listening(relay)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", relay.port))
    slow_id = await relay.listen(fork_id, user="ben")
    slow = await relay.page(slow_id, "ben", sock=sock)
    await slow.told("hello")
    slow.socket.transport.pause_reading()
    sent = 0

    async def play(enough: Callable[[], object]) -> None:  # faster than a voice, for what fills a buffer is bytes
        nonlocal sent
        while not enough():
            await switch.send(voices(20))
            sent += 1
            await asyncio.sleep(0.011)

    async with asyncio.timeout(80):
        await play(lambda: relay.relay.hub.listeners[slow_id].discarded)
        monkeypatch.setattr(listener, "STUCK_S", 1.0)
        await play(lambda: relay.reports(ListenerLeft))
    left = relay.reports(ListenerLeft)[-1]
    assert (left.how, left.listen_id) == ("slow", slow_id)
    await page.heard(round(sent * 0.8))  # some may come faster than frames may come
    assert await relay.metric('relay_frames_discarded_total{where="listener"}') > 0
    assert await relay.metric('relay_listeners_left_total{how="slow"}') == 1
    slow.socket.transport.resume_reading()
    assert page.last("stats")["discarded"] == 0
    assert not switch.back.over


async def test_a_listen_that_ends_says_why(relay: Running) -> None:
    _, listen_id, switch, page = await listening(relay)
    await relay.listen("", listen_id, state="ended", reason="stopped")
    assert await page.closed() == wire.OVER
    assert page.last("ended")["reason"] == "stopped"
    await switch.back.ended()
    await relay.reported(ListenerLeft, listen_id=listen_id, how="ended")
    again = await relay.page(listen_id)
    assert await again.closed() == wire.OVER


async def test_a_listen_that_nobody_prolongs_lapses(relay: Running) -> None:
    fork_id = await relay.fork()
    listen_id = await relay.listen(fork_id, until=relay.clock.now() + timedelta(seconds=0.5))
    page = await relay.page(listen_id)
    await relay.listen(fork_id, listen_id, until=relay.clock.now() + timedelta(seconds=1))
    assert await page.closed() == wire.OVER
    assert page.last("ended")["reason"] == "lapsed"


async def test_who_may_not_hear_is_told_why(relay: Running) -> None:
    listen_id = await relay.listen(await relay.fork())
    elses = await relay.page(listen_id, "ben")
    assert await elses.closed() == wire.BAD_PASS
    assert elses.frames == elses.texts == []
    for ticket in ("", "?ticket=x"):
        page = Page(await connect(f"{relay.url}/api/v1/listens/{listen_id}/audio{ticket}"))
        assert await page.closed() == wire.BAD_PASS
    unknown = await relay.page("nothing")
    assert await unknown.closed() == wire.UNKNOWN


async def test_a_page_may_be_faster_than_the_order_and_its_pings_are_answered(
    relay: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "LISTEN_WAIT_S", 60.0)
    page = await relay.page("soon")
    await asyncio.sleep(1.3)  # longer than a page may be silent that is served
    await relay.listen("", "soon")
    await page.told("hello")
    await page.socket.send('{"type": "ping", "n": 7}')
    await page.told("pong", n=7)
    for odd in ("{", "[]", '{"type": "dance"}', "x" * 1000):
        await page.socket.send(odd)
    await page.socket.send('{"type": "ping", "n": 8}')
    await page.told("pong", n=8)
    await page.told("stats", received=0)
    assert page.code is None


async def test_a_relay_that_is_replaced_reads_its_orders_again_and_says_that_it_is_new(tmp_path: Path) -> None:
    async with running(tmp_path, late_s=60.0) as first:
        fork_id, listen_id, switch, page = await listening(first)
        await switch.play(voices(40), audiokit.STEREO_FRAME)
        await page.heard(2)
        bus = first.bus
    assert await page.closed() == wire.RELAY_ENDS
    await switch.back.ended()
    assert first.reports(ListenerLeft)[-1].how == "lost"
    async with running(tmp_path, bus, late_s=60.0) as second:
        started = await second.reported(RelayStarted)
        assert started.run == second.relay.run_id != first.relay.run_id
        record = bus.log(("listen.reports", 0))[-1]
        assert record.key == SITE.encode()
        switch = await second.call(fork_id)  # as ordered before: it is still expected
        page = await second.page(listen_id)
        await page.told("hello")
        await switch.play(voices(40), audiokit.STEREO_FRAME)
        await page.heard(2)
