"""A relay with the faults under the test's control: tones to pages, as frames of sound, whenever the test says so."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

import services.monitor
from services.monitor.listen.relay import wire
from shared.clock import SystemClock
from shared.hosts import Hosts
from shared.http import create_app, mount_web
from shared.ports import listen
from tests.audiokit import FRAME_MS, RATE, interleave, tone
from tests.waiting import PATIENCE_S

WEB = Path(services.monitor.__file__).parent / "web"
CLOCK = SystemClock()
LISTEN = "11111111-2222-4333-8444-555555555555"
ELSEWHERE = "floor.example"  # a name by which a browser asks for a page that is not safe to it
AGENT_HZ, CUSTOMER_HZ, LOUD = 1000, 440, 8000
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sound</title>
<link rel="icon" href="/static/shared/favicon.svg">
<link rel="stylesheet" href="/static/shared/shared.css">
<link rel="stylesheet" href="/static/monitor/listen/sound/sound.css">
</head><body><main id="main"></main></body></html>"""


def now_us() -> int:
    """This machine's clock, as the relay tells it."""
    return round(CLOCK.now().timestamp() * 1_000_000)


class SoundRelay:
    """Serves a page, its modules and the sound of one listen, to whoever comes with the newest pass."""

    def __init__(self) -> None:
        self.url = ""
        self.sockets: list[WebSocket] = []  # of all connections so far
        self.passes: list[str] = []  # with which each came
        self.said: list[dict[str, Any]] = []  # text of pages
        self.spoken: list[tuple[float, bytes]] = []  # microphone frames and when they came
        self.state: dict[str, Any] = {"state": "live", "fork_id": "fork", "channels": 2, "rate_hz": RATE}
        self.flowing = True  # sound is sent
        self.late: list[float] = []  # seconds by which the next frames are late, one after the other
        self.flags = 0
        self.skipped = 0  # frames that are to be left out next
        self.rate = RATE
        self.channels = 2
        self.answers = True  # to pings
        self.first = 0  # added to the numbers of frames
        self.deaf: set[WebSocket] = set()  # connections on which nothing comes any more
        self.left = 0  # connections that are over
        self._moved = asyncio.Event()

    # ------------------------------------------------------------ what a test does

    async def tell(self, **state: Any) -> None:
        """Say how it is with the listen from now on."""
        self.state |= state
        await self.say({"type": "state", **self.whole_state()})

    def whole_state(self) -> dict[str, Any]:
        usual = {"reason": "", "mode": "listen", "muted": "", "call_id": "c1", "agent_id": "1001"}
        return usual | {"speaking": False, "listeners": ["Iris"]} | self.state

    async def end(self, reason: str) -> None:
        await self.say({"type": "ended", "reason": reason})
        await self.sockets[-1].close(wire.OVER)

    async def connections(self, number: int) -> None:
        """Wait until so many have come."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.sockets) < number:
                await self._moves()

    async def gone(self) -> None:
        """Wait until no connection is left."""
        while self.left < len(self.sockets):
            await self._moves()

    @property
    def sound_url(self) -> str:
        return f"{self.url}/api/v1/listens/{LISTEN}/audio"

    async def heard(self, frames: int) -> list[tuple[float, bytes]]:
        """The next frames of the microphone."""
        first = len(self.spoken)
        async with asyncio.timeout(PATIENCE_S):
            while len(self.spoken) < first + frames:
                await self._moves()
        return self.spoken[first : first + frames]

    async def _moves(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    # ------------------------------------------------------------ the server

    async def say(self, message: dict[str, Any]) -> None:
        if self.sockets and self.sockets[-1] not in self.deaf:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self.sockets[-1].send_text(json.dumps(message))

    async def serve(self, socket: WebSocket, listen_id: str, ticket: str) -> None:
        assert listen_id == LISTEN
        await socket.accept()
        self.sockets.append(socket)
        self.passes.append(ticket)
        self._moved.set()
        await self.say({"type": "hello", "listen_id": listen_id, "now_us": now_us()})
        await self.say({"type": "state", **self.whole_state()})
        tasks = [asyncio.create_task(self._sound(socket)), asyncio.create_task(self._figures())]
        try:
            await self._hear(socket)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self.left += 1
            self._moved.set()

    async def _hear(self, socket: WebSocket) -> None:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("bytes") is not None:
                self.spoken.append((CLOCK.monotonic(), message["bytes"]))
            else:
                said = json.loads(message["text"])
                self.said.append(said)
                if not self.answers:
                    continue
                await self.say({"type": "pong", "n": said["n"], "now_us": now_us()})
            self._moved.set()

    async def _figures(self) -> None:
        while True:
            await CLOCK.sleep(1)
            figures = dict.fromkeys(
                ("received", "lost", "late", "discarded", "gap_ms_max", "spoken", "spoken_discarded"), 0
            )
            await self.say({"type": "stats", "now_us": now_us(), **figures})

    async def _sound(self, socket: WebSocket) -> None:
        began = CLOCK.monotonic()
        for number in itertools.count():
            late = self.late.pop(0) if self.late else 0.0
            await CLOCK.sleep(max(0.0, began + number * FRAME_MS / 1000 + late - CLOCK.monotonic()))
            if not self.flowing or socket in self.deaf:
                continue
            if self.skipped:
                self.skipped -= 1
                continue
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.send_bytes(self.frame(self.first + number))

    def frame(self, number: int) -> bytes:
        sides = [tone(hz, LOUD, FRAME_MS, self.rate, start_ms=number * FRAME_MS) for hz in (AGENT_HZ, CUSTOMER_HZ)]
        if self.flags & wire.MUTED:
            sides = [bytes(len(one)) for one in sides]
        pcm = interleave(*sides) if self.channels == 2 else sides[0]
        about = (wire.VERSION, self.flags, self.channels, self.rate // 1000, number, now_us())
        return wire.HEADER.pack(*about) + pcm


@contextlib.asynccontextmanager
async def relaying() -> AsyncIterator[SoundRelay]:
    """Run one on a free port."""
    relay = SoundRelay()
    app = create_app("monitor", names=Hosts([ELSEWHERE]))

    @app.get("/sound", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE)

    @app.websocket("/api/v1/listens/{listen_id}/audio")
    async def audio(socket: WebSocket, listen_id: str, ticket: str = "") -> None:
        await relay.serve(socket, listen_id, ticket)

    mount_web(app, WEB)
    sock = listen("127.0.0.1", 0, setting="X")
    relay.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, ws="websockets-sansio", lifespan="off", timeout_graceful_shutdown=1)
    )
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not server.started:
                await asyncio.sleep(0.01)
        yield relay
    finally:
        server.should_exit = True
        await serving
