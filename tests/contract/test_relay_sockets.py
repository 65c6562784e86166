"""Sound that comes over WebSocket: Twilio's Media Streams and Asterisk's channels."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.monitor.listen.contract import ForkDown, ForkRefused, ForkUp
from services.monitor.listen.relay.g711 import from_alaw, from_ulaw
from services.monitor.listen.relay.mediasockets import BAD
from services.monitor.listen.relay.wire import UNKNOWN
from tests.audiokit import chunks, split, tone
from tests.relaykit import Page, Running, running
from tests.waiting import until

LOUD, QUIET = bytes([0x80]) * 160, bytes([0xFF]) * 160  # of µ-law
STARTS = [
    json.dumps({"event": "MEDIA_START", "connection_id": "m", "channel": "WebSocket/m", "format": "slin", "ptime": 20}),
    "MEDIA_START connection_id:m channel:WebSocket/m/0x1 format:slin optimal_frame_size:320 ptime:20",
    "MEDIA_START connection_id:m channel:WebSocket/m/0x1 optimal_frame_size:320",  # before releases said the format
]


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, late_s=60.0) as it:
        yield it


async def listening(relay: Running, **fork: Any) -> tuple[str, Page]:
    fork_id = await relay.fork(**fork)
    page = await relay.page(await relay.listen(fork_id))
    await page.told("hello")
    return fork_id, page


async def code_of(socket: ClientConnection) -> int:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code or 0


# ---------------------------------------------------------------- Asterisk


def asterisk(relay: Running, query: str) -> connect:
    return connect(f"{relay.url}/media/asterisk{query}", subprotocols=["media"])  # type: ignore[list-item]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", ["fork", "call"])
async def test_asterisk_sends_pcm_and_says_how_in_json_or_in_a_line(relay: Running, start: str, name: str) -> None:
    fork_id, page = await listening(relay, audio="mixed")
    async with asterisk(relay, f"?{name}={fork_id}") as switch:
        assert switch.subprotocol == "media"
        await switch.send(start)
        sound = tone(440, 8000, 100)
        for one in chunks(sound, 320):
            await switch.send(one)
        await switch.send('{"event": "MEDIA_XON"}')
        await page.heard(5)
        assert page.pcm == sound
    assert (await relay.reported(ForkDown, fork_id=fork_id)).how == "hung_up"


async def test_asterisk_names_the_fork_by_a_channel_variable_too_and_splits_two_channels(relay: Running) -> None:
    fork_id, page = await listening(relay)
    async with asterisk(relay, "") as switch:
        await switch.send(
            json.dumps({"event": "MEDIA_START", "format": "slin", "channel_variables": {"fork": fork_id}})
        )
        sound = tone(440, 8000, 200)  # as two channels it is 100 ms
        for one in chunks(sound, 640):
            await switch.send(one)
        await page.heard(5)
        assert (page.pcm, page.frames[0].channels) == (sound, 2)


@pytest.mark.parametrize(("form", "decode"), [("ulaw", from_ulaw), ("alaw", from_alaw)])
async def test_asterisk_sends_g711_that_says_so(relay: Running, form: str, decode: Any) -> None:
    fork_id, page = await listening(relay, audio="mixed")
    async with asterisk(relay, f"?fork={fork_id}") as switch:
        await switch.send(json.dumps({"event": "MEDIA_START", "format": form}))
        await switch.send(bytes(range(160)))
        await page.heard(1)
        assert page.pcm == decode(bytes(range(160)))


async def test_the_microphone_goes_back_to_asterisk(relay: Running) -> None:
    fork_id, page = await listening(relay)
    mouth = await relay.fork(speaks=True, audio="mixed")
    async with asterisk(relay, f"?fork={mouth}") as switch:
        await switch.send(STARTS[0])
        await switch.send(bytes(320))
        await relay.reported(ForkUp, fork_id=mouth)
        listen_id = relay.relay.hub.listeners.copy().popitem()[0]
        await relay.listen(fork_id, listen_id, mode="barge", speak_fork_id=mouth)
        await page.told("state", speaking=True)
        voice = tone(700, 6000, 20)
        await page.socket.send(voice)
        assert await switch.recv() == voice
        await relay.listen("", listen_id, state="ended", reason="stopped")
        assert await code_of(switch) == 1000


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('{"event": "MEDIA_START", "format": "opus"}', BAD),
        ("MEDIA_START optimal_frame_size:160", BAD),  # µ-law or A-law: it does not say
        (b"x" * 320, BAD),  # before it said how
        ("{", BAD),
    ],
)
async def test_what_asterisk_sends_and_nobody_can_read_is_refused(relay: Running, said: Any, code: int) -> None:
    fork_id, _ = await listening(relay)
    async with asterisk(relay, f"?fork={fork_id}") as switch:
        await switch.send(said)
        assert await code_of(switch) == code
    assert await relay.metric('relay_refused_total{reason="malformed"}') == 1
    assert relay.reports(ForkDown) == []  # another connection may still bring it


@pytest.mark.parametrize("query", ["", "?fork=x", "?fork=84b77733-79b8-4d85-a656-386996d51132"])
async def test_a_socket_of_a_fork_that_nobody_ordered_is_refused(relay: Running, query: str) -> None:
    async with asterisk(relay, query) as switch:
        await switch.send(STARTS[0])
        assert await code_of(switch) == UNKNOWN
    await relay.reported(ForkRefused)
    assert await relay.metric('relay_refused_total{reason="unknown"}') == 1


# ---------------------------------------------------------------- Twilio


def start(*tracks: str, **parameters: str) -> str:
    form = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    said = {"streamSid": "MZ1", "tracks": tracks, "mediaFormat": form, "customParameters": parameters}
    return json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": said})


def media(track: str, payload: bytes) -> str:
    said = {"track": track, "chunk": "1", "timestamp": "5", "payload": base64.b64encode(payload).decode()}
    return json.dumps({"event": "media", "sequenceNumber": "2", "streamSid": "MZ1", "media": said})


CONNECTED = '{"event": "connected", "protocol": "Call", "version": "1.0.0"}'


@pytest.mark.parametrize(("side", "left"), [("agent", LOUD), ("customer", QUIET)])
async def test_twilios_tracks_are_the_two_sides(relay: Running, side: str, left: bytes) -> None:
    fork_id, page = await listening(relay, side=side)
    async with connect(f"{relay.url}/media/twilio") as switch:
        await switch.send(CONNECTED)
        await switch.send(start("inbound", "outbound", fork=fork_id))
        for _ in range(3):
            await switch.send(media("inbound", LOUD))  # what the tapped party says
            await switch.send(media("outbound", QUIET))
        await page.heard(3)
        sides = split(page.frames[0].pcm)
        assert sides[0] == from_ulaw(left)
        assert sides[1] == from_ulaw(LOUD if left is QUIET else QUIET)
        await switch.send('{"event": "mark", "mark": {"name": "x"}}')
        await switch.send('{"event": "stop", "stop": {"callSid": "CA1"}}')
        assert (await relay.reported(ForkDown, fork_id=fork_id)).how == "hung_up"


async def test_a_track_of_twilio_that_falls_silent_holds_up_the_other_for_a_moment_only(relay: Running) -> None:
    fork_id, page = await listening(relay)
    async with connect(f"{relay.url}/media/twilio?fork={fork_id}") as switch:
        await switch.send(start("inbound", "outbound"))
        for _ in range(8):
            await switch.send(media("outbound", LOUD))
        await page.heard(5)
        assert split(page.pcm) == (bytes(5 * 320), from_ulaw(LOUD) * 5)


async def test_one_track_of_twilio_is_one_channel(relay: Running) -> None:
    fork_id, page = await listening(relay)
    async with connect(f"{relay.url}/media/twilio?call={fork_id}") as switch:
        await switch.send(start("inbound"))
        await switch.send(media("inbound", LOUD))
        await page.heard(1)
        assert (page.frames[0].channels, page.pcm) == (1, from_ulaw(LOUD))


@pytest.mark.parametrize(
    "said",
    [
        "hello",
        b"binary",
        media("inbound", LOUD),  # before start
        start("inbound").replace("audio/x-mulaw", "audio/opus"),
        start("inbound").replace("8000", "11025"),
    ],
)
async def test_what_is_no_media_stream_is_refused(relay: Running, said: Any) -> None:
    fork_id, _ = await listening(relay)
    async with connect(f"{relay.url}/media/twilio?fork={fork_id}") as switch:
        await switch.send(said)
        assert await code_of(switch) == BAD
    assert await relay.metric('relay_refused_total{reason="malformed"}') == 1


async def test_two_tracks_at_their_pace_are_no_flood(relay: Running) -> None:
    fork_id, page = await listening(relay)
    async with connect(f"{relay.url}/media/twilio?fork={fork_id}") as switch:
        await switch.send(start("inbound", "outbound"))
        for _ in range(350):  # within a second and a half; it would be too much of a page
            await switch.send(media("inbound", LOUD))
            await switch.send(media("outbound", QUIET))
            await asyncio.sleep(0.004)
        await until(lambda: relay.relay.hub.forks[fork_id].frames == 350)
        assert page.code is None


async def test_a_connection_that_only_talks_on_is_not_kept(relay: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.monitor.listen.relay.mediasockets.NAMED_S", 0.3)
    async with connect(f"{relay.url}/media/twilio") as socket:
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(60):
                while True:
                    await socket.send(json.dumps({"event": "connected"}))
                    await asyncio.sleep(0.05)
        assert await code_of(socket) == UNKNOWN
    await until(lambda: relay.relay.hub.counts.connections == 0, "its place is free")
    assert relay.relay.hub.counts.refused["unnamed"] == 1
