"""What a relay is sent by whoever can reach it: each has an end, is counted, and disturbs nobody else."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.monitor.listen.contract import ForkDown, order
from services.monitor.listen.relay import audiosocket
from services.monitor.listen.relay.audiosocket import LONGEST, AudioSocket
from services.monitor.listen.relay.hub import Hub
from services.monitor.listen.relay.mediasockets import BAD
from services.monitor.listen.relay.wire import BUSY
from shared.clock import SystemClock
from shared.wsserver import TOO_MANY_FRAMES
from tests.audiokit import frame, hello, tone
from tests.relaykit import Running, forked, running
from tests.waiting import until


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, late_s=60.0) as it:
        yield it


async def still_works(relay: Running) -> None:
    fork_id = await relay.fork(audio="mixed")
    page = await relay.page(await relay.listen(fork_id))
    await page.told("hello")
    switch = await relay.call(fork_id)
    await switch.send(tone(440, 3000, 20))
    await page.heard(1)
    await page.close()
    await switch.close()


async def test_connections_that_never_say_whose_sound_they_bring_make_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some say nothing, some a byte now and then."""

    async def come(relay: Running, many: int) -> list[asyncio.StreamWriter]:
        return [(await asyncio.open_connection("127.0.0.1", relay.media_port))[1] for _ in range(many)]

    monkeypatch.setattr(audiosocket, "IDENTITY_S", 600.0)  # nobody's time is over while others still come
    async with running(tmp_path, max_forks=100) as relay:
        counts = relay.relay.hub.counts
        writers = await come(relay, 300)
        await until(lambda: counts.refused["busy"] == 200, "who comes to a full relay is sent away")
        for writer in writers:
            writer.close()
        await until(lambda: counts.connections == 0)
        monkeypatch.setattr(audiosocket, "IDENTITY_S", 0.5)
        writers = await come(relay, 100)
        slowly = hello(str(uuid4()))[:-1]
        for byte in slowly:
            for writer in writers:
                if not writer.is_closing():
                    writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await until(lambda: counts.refused["unnamed"] == 100)
        await until(lambda: counts.connections == 0)
        for writer in writers:
            writer.close()
        await still_works(relay)


async def code_of(socket: ClientConnection) -> int:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code or 0


async def test_a_page_that_floods_its_microphone_is_let_go_and_one_that_sends_too_much_is_counted(
    relay: Running,
) -> None:
    fork_id = await relay.fork(audio="mixed")
    listen_id = await relay.listen(fork_id)
    page = await relay.page(listen_id)
    await page.told("hello")
    await page.socket.send(bytes(900_000))  # not a frame of a microphone
    for odd in ("{", "[" * 50_000, '{"type":"ping"}', '{"type":"ping","n":1e400}', "\x00", '{"type":"state","n":1}'):
        await page.socket.send(odd)
    await page.socket.send(json.dumps({"type": "ping", "n": 7}))
    await page.told("pong", n=7)
    (listener,) = relay.relay.hub.listeners.values()
    assert listener.spoken_refused == 1
    with contextlib.suppress(ConnectionClosed):
        for _ in range(10_000):
            await page.socket.send(bytes(320))
    assert await page.closed() == TOO_MANY_FRAMES
    await until(lambda: sum(relay.relay.hub.counts.lefts.values()) == 1)
    assert await relay.metric('relay_frames_discarded_total{where="microphone"}') < 1000
    await still_works(relay)


MEDIA = {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}, "tracks": ["inbound"]}
DEEP = '{"event":' + "[" * 100_000


def start(**changed: Any) -> str:
    return json.dumps({"event": "start", "start": MEDIA | changed})


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("twilio", DEEP),
        ("twilio", json.dumps({"event": 1})),
        ("twilio", json.dumps({"event": "start", "start": []})),
        ("twilio", start(tracks=["both"])),
        ("twilio", start(mediaFormat={"encoding": "audio/l16", "sampleRate": -5})),
        ("twilio", start(mediaFormat={"encoding": "audio/x-mulaw", "sampleRate": 10**30})),
        ("twilio", json.dumps({"event": "media", "media": {"payload": "AAAA"}})),
        ("asterisk", DEEP),
        ("asterisk", '{"event":"MEDIA_START","format":["slin"]}'),
        ("asterisk", '{"event":"MEDIA_START","format":"slin' + "x" * 100_000 + '"}'),
        ("asterisk", "MEDIA_START " + "a:b " * 100_000),
        ("asterisk", b"\x00" * 320),
    ],
)
async def test_what_no_switch_says_is_refused_and_counted(relay: Running, path: str, said: Any) -> None:
    fork_id = await relay.fork()
    await relay.listen(fork_id)
    async with connect(f"{relay.url}/media/{path}?fork={fork_id}") as switch:
        await switch.send(said)
        assert await code_of(switch) == BAD
    assert relay.relay.hub.counts.refused["malformed"] == 1
    await until(lambda: relay.relay.hub.counts.connections == 0)


@pytest.mark.parametrize("payload", ["", "////" * 40])
async def test_messages_without_sound_in_them_leave_the_sound_as_it_is(relay: Running, payload: str) -> None:
    """Every frame to a page has the head that the first one had."""
    fork_id = await relay.fork()
    page = await relay.page(await relay.listen(fork_id))
    await page.told("hello")
    async with connect(f"{relay.url}/media/twilio?fork={fork_id}") as switch:
        await switch.send(start())
        for one in (payload, base64.b64encode(bytes(160)).decode(), "", base64.b64encode(bytes(160)).decode()):
            await switch.send(json.dumps({"event": "media", "media": {"track": "inbound", "payload": one}}))
        await page.heard(2)
        assert {(one.channels, len(one.pcm)) for one in page.frames} == {(1, 320)}


async def test_an_empty_frame_first_of_16_khz_breaks_no_page(relay: Running) -> None:
    fork_id = await relay.fork(audio="mixed")
    page = await relay.page(await relay.listen(fork_id))
    await page.told("hello")
    switch = await relay.call(fork_id)
    switch._writer.write(frame(0x12) + frame(0x12, bytes(640)) + frame(0x12) + frame(0x12, bytes(640)))
    await page.heard(2)
    assert [(one.channels, one.khz, len(one.pcm)) for one in page.frames] == [(1, 16, 640)] * 2
    await page.told("state", channels=1, rate_hz=16000)
    await switch.close()


async def test_a_relay_that_is_full_says_so_to_switches_on_websockets(tmp_path: Path) -> None:
    async with running(tmp_path, max_forks=1) as relay, connect(f"{relay.url}/media/twilio"):
        async with connect(f"{relay.url}/media/twilio") as other:
            assert await code_of(other) == BUSY
        assert relay.relay.hub.counts.refused["busy"] == 1


# ---------------------------------------------------------------- bytes of AudioSocket


class Line(asyncio.Transport):
    """What a protocol writes to; nothing is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write(self, data: Any) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


FORK = "40325ec2-5efd-4bd3-805f-53576e581d13"
bits = st.one_of(
    st.binary(max_size=40),
    st.builds(frame, st.sampled_from([0x00, 0x01, 0x03, 0x10, 0x11, 0x12, 0x20, 0xFF]), st.binary(max_size=60)),
    st.builds(
        lambda kind, size, fill: frame(kind, bytes([fill]) * size),
        st.sampled_from([0x10, 0x12]),
        st.sampled_from([0, 1, 160, 320, 640, 1280, LONGEST]),
        st.sampled_from([0, 0x7F, 0xFF]),
    ),
    st.builds(struct.pack, st.just(">BH"), st.integers(0, 255), st.integers(0, 65_535)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.booleans(), st.lists(bits, max_size=20), st.lists(st.integers(0, 3000), max_size=8))
@example(True, [frame(0x00)], [19])  # hangs up before any sound
def test_no_bytes_break_a_connection(named: bool, said: list[bytes], cuts: list[int]) -> None:
    async def play() -> None:
        clock, reports = SystemClock(), []
        hub = Hub(clock, lambda site, data: reports.append(data), name="relay", run="1")
        hub.take(order(forked(FORK, clock.now()), id="1", source="/m", site="hq", time=clock.now()))
        hub.go_live()
        line, switch = Line(), AudioSocket(hub)
        switch.connection_made(line)
        data = (frame(0x01, UUID(FORK).bytes) if named else b"") + b"".join(said)
        edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
        for first, last in pairwise(edges):
            if not line.closed:
                switch.data_received(data[first:last])
                await asyncio.sleep(0)
            assert len(switch._parser._rest) <= LONGEST + 3
        line.closed = True
        switch.connection_lost(None)
        await asyncio.sleep(0)
        assert hub.counts.connections == 0
        downs = [one for one in reports if isinstance(one, ForkDown)]
        assert len(downs) <= 1
        assert all(fork.channels in (1, 2) for fork in hub.forks.values() if fork.up)
        hub.part()

    asyncio.run(play())
