"""A relay in this process, on real ports, with a bus in memory; a monitor's orders, and a page that listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import uvicorn
from msgspec import Struct
from prometheus_client import CollectorRegistry
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.monitor.listen.contract import ForkOrdered, ListenOrdered, decode_report, order
from services.monitor.listen.passes import sign_pass
from services.monitor.listen.relay.app import Relay
from services.monitor.listen.relay.wire import HEADER
from shared import topics
from shared.clock import SystemClock
from shared.codec import encode
from shared.envelope import Data
from shared.memorybus import MemoryBus
from shared.ports import listen
from shared.service import Background
from shared.settings import RelaySettings
from shared.wsserver import DirectProtocol
from tests.audiokit import AudioCaller
from tests.waiting import until

SITE = "hq"
SECRET = "s" * 32
USER = "ina"

D = TypeVar("D", bound=Data)


class Sound(Struct):
    """A frame as a page reads it."""

    version: int
    flags: int
    channels: int
    khz: int
    sequence: int
    captured_us: int
    pcm: bytes


class Page:
    """A page's end of the sound: everything that came is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Sound] = []
        self.texts: list[dict[str, Any]] = []
        self.code: int | None = None
        self._pings = 0
        self._reading = asyncio.create_task(self._read())

    @property
    def pcm(self) -> bytes:
        return b"".join(one.pcm for one in self.frames)

    def last(self, kind: str) -> dict[str, Any]:
        """The newest text of that type; {} when there is none."""
        return next((one for one in reversed(self.texts) if one["type"] == kind), {})

    async def told(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Wait until the newest text of that type has these values."""

        def is_so() -> bool:
            found = self.last(kind)
            return bool(found) and all(found[name] == value for name, value in fields.items())

        await until(is_so, f"{kind} {fields}; there are {self.texts[-5:]}, closed {self.code}")
        return self.last(kind)

    async def heard(self, frames: int) -> None:
        await until(lambda: len(self.frames) >= frames, f"{frames} frames; there are {len(self.frames)}, {self.code}")

    async def answered(self) -> None:
        """Wait until the relay has read what was said so far, and all that had come to it by then."""
        self._pings += 1
        await self.socket.send(json.dumps({"type": "ping", "n": self._pings}))
        await self.told("pong", n=self._pings)

    async def closed(self) -> int:
        await until(lambda: self.code is not None, "it is closed")
        assert self.code is not None
        return self.code

    async def close(self) -> None:
        await self.socket.close()
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        try:
            while True:
                found = await self.socket.recv()
                if isinstance(found, str):
                    self.texts.append(json.loads(found))
                else:
                    self.frames.append(Sound(*HEADER.unpack_from(found), found[HEADER.size :]))
        except ConnectionClosed as exc:
            self.code = exc.rcvd.code if exc.rcvd is not None else 1006


class Running:
    """What runs, and what the monitor would order of it."""

    def __init__(self, relay: Relay, bus: MemoryBus, port: int, media_port: int) -> None:
        self.relay, self.bus, self.port, self.media_port = relay, bus, port, media_port
        self.url = f"ws://127.0.0.1:{port}"
        self.clock = SystemClock()
        self._version = 0

    # ---------------------------------------------------------------- the monitor's part

    async def order(self, data: Data, site: str = SITE) -> None:
        made = order(data, id=uuid4().hex, source="/test", site=site, time=self.clock.now())
        await self.bus.publish(topics.LISTEN_ORDERS, encode(made), key=site)
        await self.bus.flush()

    async def fork(self, **fields: Any) -> str:
        """Order a fork; its id."""
        fork_id = str(uuid4())
        await self.order(forked(fork_id, self.clock.now(), **fields))
        return fork_id

    async def listen(self, fork_id: str, listen_id: str = "", **fields: Any) -> str:
        """Order a listen to that fork, or another order of one; its id."""
        self._version += 1
        listen_id = listen_id or uuid4().hex
        given = {"version": self._version, "fork_id": fork_id} | fields
        await self.order(listened(listen_id, self.clock.now(), **given))
        return listen_id

    def reports(self, kind: type[D]) -> list[D]:
        """What the relay reported of that kind."""
        found = [decode_report(record.value).data for record in self.bus.log((topics.LISTEN_REPORTS.name, 0))]
        return [one for one in found if isinstance(one, kind)]

    async def reported(self, kind: type[D], number: int = 1, **fields: Any) -> D:
        """Wait for that many reports of a kind with these values; the last of them."""

        def those() -> list[D]:
            return [one for one in self.reports(kind) if all(getattr(one, k) == v for k, v in fields.items())]

        await until(lambda: len(those()) >= number, f"{number} {kind.__name__} {fields}; {self.reports(kind)}")
        return those()[-1]

    # ---------------------------------------------------------------- the others' parts

    async def call(self, fork_id: str) -> AudioCaller:
        """A switch that connects."""
        return await AudioCaller.connect("127.0.0.1", self.media_port, fork_id)

    async def page(self, listen_id: str, user: str = USER, **how: Any) -> Page:
        """A page that listens."""
        token = sign_pass(SECRET, user, listen_id, self.clock.now())
        return Page(await connect(f"{self.url}/api/v1/listens/{listen_id}/audio?ticket={token}", **how))

    async def metric(self, name: str) -> float:
        """The value of a sample, such as `relay_refused_total{reason="unknown"}`."""
        async with httpx.AsyncClient() as http:
            text = (await http.get(f"http://127.0.0.1:{self.port}/metrics")).raise_for_status().text
        return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).rpartition(" ")[2])


def forked(fork_id: str, now: datetime, **fields: Any) -> ForkOrdered:
    given = {
        "call_id": "c1",
        "agent_id": "1001",
        "side": "agent",
        "audio": "split",
        "speaks": False,
        "expires": now + timedelta(seconds=30),
    }
    return ForkOrdered(fork_id=fork_id, **(given | fields))  # type: ignore[arg-type]


def listened(listen_id: str, now: datetime, **fields: Any) -> ListenOrdered:
    given = {
        "version": 1,
        "user": USER,
        "state": "starting",
        "reason": "",
        "mode": "listen",
        "fork_id": "",
        "speak_fork_id": "",
        "call_id": "c1",
        "agent_id": "1001",
        "muted": "",
        "until": now + timedelta(hours=1),
    }
    return ListenOrdered(listen_id=listen_id, **(given | fields))  # type: ignore[arg-type]


@asynccontextmanager
async def running(
    folder: Path, bus: MemoryBus | None = None, *, tune: Callable[[Relay], None] = lambda relay: None, **settings: Any
) -> AsyncIterator[Running]:
    """A relay until the end of the block; with the `bus` of another one, which it follows."""
    if bus is None:
        bus = MemoryBus()
        await bus.create(topics.ALL)
    given = RelaySettings(run_dir=folder, auth_secret=SECRET, **settings)
    relay = Relay(given, bus, SystemClock(), CollectorRegistry())
    tune(relay)
    sock, media = (listen("127.0.0.1", 0, setting="RELAY_PORT") for _ in range(2))
    server = await asyncio.get_running_loop().create_server(relay.new_connection, sock=media, start_serving=False)
    async with Background() as background:
        relay.start(background)
        background.start("media", relay.media(server))
        config = uvicorn.Config(
            relay.app(background), ws=DirectProtocol, ws_per_message_deflate=False, log_config=None, lifespan="off"
        )
        http = uvicorn.Server(config)
        serving = asyncio.create_task(http.serve(sockets=[sock]))
        try:
            await until(lambda: http.started and relay.hub.live, "the relay is up")
            yield Running(relay, bus, sock.getsockname()[1], media.getsockname()[1])
        finally:
            await relay.part()
            http.should_exit = http.force_exit = True
            await asyncio.wait([serving])
            server.close()
            assert background.check() is None
