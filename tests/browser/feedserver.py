"""The wallboard's server with the faults under the test's control: the real page, the real messages, a scripted floor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import Request, WebSocket, WebSocketDisconnect

import services.monitor
from services.monitor.core.views import FloorView
from services.monitor.feed import messages
from services.monitor.feed.messages import Change, Clocks, Delta, Hello, Resume, Resumed, SiteClock, Snapshot
from shared.clock import SystemClock
from shared.http import create_app, mount_web
from shared.ports import listen
from tests.browser.floors import NOON

PAGE = Path(services.monitor.__file__).parent / "web"
CLOCK = SystemClock()


class FeedServer:
    """Serves the wallboard and feeds it what the test says. `url` is where it is."""

    def __init__(self, floor: FloorView) -> None:
        self.floor = floor
        self.epoch = "first"
        self.position = 1
        self.deltas: list[str] = []
        self.asked: list[str] = []  # what each connection began with: "subscribe" or "resume"
        self.parts = 1  # in which a snapshot comes
        self.silent = False  # connected, but nothing is said: a dead line
        self.refuse: tuple[int, str] | None = None  # close code and reason for whoever comes
        self.clock_runs = True  # False: the switch's time stands still
        self.sockets: set[WebSocket] = set()
        self.preferences: dict[str, Any] = {}  # what pages asked to be kept for their reader
        self.rules: list[dict[str, Any]] = [{"name": "slow_transfer"}, {"name": "long_hold"}]
        self.url = ""
        self._started: float | None = None  # when the first page asked
        self._stopped_at: float | None = None

    # ------------------------------------------------------------ what a test does

    async def change(self, kind: str, key: str, value: Any | None) -> None:
        """Send one change as a delta."""
        self.position += 1
        frame = messages.encode(Delta(self.position, [Change(kind, key, messages.raw(value))]))  # type: ignore[arg-type]
        self.deltas.append(frame)
        await self._say(frame)

    async def cut(self) -> None:
        """Close every connection, as a restart does."""
        for socket in tuple(self.sockets):
            await socket.close(1012)

    def now(self) -> datetime:
        """The switch's time: noon until a page has asked, however long that takes to load."""
        return self._time_at(CLOCK.monotonic())

    def _time_at(self, moment: float) -> datetime:
        return NOON + timedelta(seconds=0.0 if self._started is None else moment - self._started)

    def stop_the_switch(self) -> None:
        """The switch's time stands still from now on."""
        self._stopped_at = CLOCK.monotonic()

    # ------------------------------------------------------------ the server

    def _clocks(self) -> str:
        ours = CLOCK.monotonic()
        moved = ours if self._stopped_at is None else self._stopped_at
        now = self._time_at(moved)
        told = [view for view in self.floor.sites if view.link != "never"]
        return messages.encode(Clocks({view.site: SiteClock(now, view.speed, ours - moved) for view in told}))

    async def _say(self, frame: str) -> None:
        if self.silent:
            return
        for socket in tuple(self.sockets):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.send_text(frame)

    async def _tell_time(self) -> None:
        while True:
            await self._say(self._clocks())
            await CLOCK.sleep(0.5)

    async def _feed(self, socket: WebSocket) -> None:
        await socket.accept()
        if self.refuse is not None:
            await socket.close(*self.refuse)
            return
        if not self.silent:
            await socket.send_text(messages.encode(Hello()))
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await self._answer(socket, messages.client_messages.decode(await socket.receive_text()))
        self.sockets.discard(socket)

    async def _answer(self, socket: WebSocket, message: messages.ClientMessage) -> None:
        if isinstance(message, Resume) and message.epoch == self.epoch:
            self.asked.append("resume")
            await socket.send_text(messages.encode(Resumed(self.epoch, message.position)))
            missed = self.position - message.position
            for frame in self.deltas[len(self.deltas) - missed :]:
                await socket.send_text(frame)
        elif not isinstance(message, messages.Ping):
            self.asked.append("subscribe")
            if self._started is None:
                self._started = CLOCK.monotonic()
            for frame in self._snapshot():
                await socket.send_text(frame)
        await socket.send_text(self._clocks())
        self.sockets.add(socket)

    def _snapshot(self) -> list[str]:
        """The floor in as many frames as `parts`, and the time between them, as the monitor sends it."""
        frames = []
        for part in range(1, self.parts + 1):
            share = FloorView(
                **{name: getattr(self.floor, name)[part - 1 :: self.parts] for name in FloorView.__struct_fields__}
            )
            frames.append(messages.encode(Snapshot(self.epoch, self.position, share, part, self.parts)))
            frames.append(self._clocks())
        return frames

    def app(self) -> Any:
        app = create_app("monitor")
        app.add_api_websocket_route("/api/v1/feed", self._feed)
        self._answer_pages(app)
        mount_web(app, PAGE)
        return app

    def _answer_pages(self, app: Any) -> None:
        """What pages ask besides the feed: they are `local`, and nobody did anything."""
        permissions = ["floor.read", "floor.act", "numbers.reveal", "calls.listen", "calls.speak"]
        permissions += ["history.read", "operations.read"]
        everything = {"sites": None, "teams": None, "queues": None}
        local = {"user": "local", "name": "", "roles": ["supervisor", "inspector", "operations"], "mode": "local"}
        answers: dict[tuple[str, str], Any] = {
            ("GET", "me"): local | {"permissions": permissions, "scope": everything},
            ("POST", "tickets"): {"ticket": "one", "expires_in_s": 30},
            ("GET", "preferences"): self.preferences,
            ("GET", "actions"): {"actions": []},
            ("GET", "rules"): {"rules": self.rules},
            ("GET", "agents/{site}/{agent_id}/calls"): {"calls": []},
            ("GET", "transfers"): {"transfers": [], "next": None},
        }
        for (method, path), answer in answers.items():
            app.add_api_route(f"/api/v1/{path}", lambda answer=answer: answer, methods=[method])
        app.add_api_route("/api/v1/preferences/{key}", self._prefer, methods=["PUT", "DELETE"])

    async def _prefer(self, key: str, request: Request) -> dict[str, Any]:
        self.preferences.pop(key, None)
        if request.method == "PUT":
            self.preferences[key] = await request.json()
        return {}


@contextlib.asynccontextmanager
async def serving(floor: FloorView, feed: FeedServer | None = None) -> AsyncIterator[FeedServer]:
    """A FeedServer on a free port of this machine: `feed`, or one that shows `floor`."""
    feed = feed or FeedServer(floor)
    config = uvicorn.Config(
        feed.app(), host="127.0.0.1", port=0, log_config=None, ws="websockets-sansio", lifespan="off"
    )
    server = uvicorn.Server(config)
    sock = listen("127.0.0.1", 0, setting="")
    feed.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    tasks = [asyncio.create_task(server.serve(sockets=[sock])), asyncio.create_task(feed._tell_time())]
    try:
        yield feed
    finally:
        await feed.cut()
        server.should_exit = True
        await tasks[0]
        tasks[1].cancel()
        sock.close()
