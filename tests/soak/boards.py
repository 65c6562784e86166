"""Wallboards that follow two monitors as docs/feed.md says: resume, come back after a wait, go to the other one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from floorwatch.watch.picture import Picture
from tests.fault.kit import Service

RIGHT_S: Final = 1.0  # a board whose oldest site is older than this, or that hears nothing for so long, is not right
IDLE_S: Final = 2.5  # the same where nothing happens any more, and marks come once a second
_SILENCE_S: Final = 3.0
_LONGEST_WAIT_S: Final = 5.0
_FIRST_WAIT_S: Final = 0.25
_LONGEST_STORM_S: Final = 60.0  # for the picture of one board among hundreds


@dataclass(frozen=True)
class Wanted:
    """What a board shows. `query`: the same of `GET /api/v1/floor`."""

    channels: tuple[str, ...] = ()
    filter: Mapping[str, list[str]] = field(default_factory=dict)
    query: str = ""

    def message(self, picture: Picture) -> str:
        message: dict[str, Any] = {"type": "subscribe"}
        if picture.epoch is not None:
            message = {"type": "resume", "epoch": picture.epoch, "position": picture.position}
        if self.channels:
            message["channels"] = list(self.channels)
        if self.filter:
            message["filter"] = dict(self.filter)
        return json.dumps(message)


class Board:
    """One board. `wrong`: what it was sent that may not be, in words; it should stay empty."""

    def __init__(self, name: str, monitors: Sequence[Service], wanted: Wanted, chance: Random) -> None:
        self.name = name
        self.wanted = wanted
        self.picture = Picture()
        self.monitor: Service | None = None  # whom it hears
        self.connections = 0
        self.resumed = 0
        self.wrong: list[str] = []
        self._monitors = monitors
        self._chance = chance
        self._attempt = 0
        self._heard: float | None = None
        self._socket: ClientConnection | None = None
        self._quick = asyncio.Event()
        self._quick.set()
        self._each_s = 0.0

    def right(self, now: float, limit_s: float = RIGHT_S) -> bool:
        """Whether it is connected and shows each site as of less than `limit_s` ago."""
        if self.monitor is None or not self.picture.times or self._heard is None or now - self._heard > limit_s:
            return False
        return all(age is not None and age <= limit_s for age in self._ages(now))

    def _ages(self, now: float) -> list[float | None]:
        return [self.picture.age_s(site, now) for site in self.picture.times]

    async def watch(self) -> None:
        """For ever. After a connection that was lost it goes to any monitor, as behind a balancer, but first to its own."""
        monitor = self._monitors[0]
        while True:
            try:
                await self._follow(monitor)
            except ConnectionClosed as exc:
                code = exc.rcvd.code if exc.rcvd is not None else 1006
                if 4000 <= code < 4500:
                    self.wrong.append(f"closed with {code}, which says not to come back")
            except (OSError, TimeoutError, InvalidHandshake):
                pass  # it is away, as it may be here
            self.monitor = None
            await self._wait()
            monitor = self._chance.choice(self._monitors)

    async def _wait(self) -> None:
        full = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**self._attempt)
        self._attempt = min(self._attempt + 1, 10)
        await asyncio.sleep(full * (0.5 + self._chance.random() / 2))

    async def _follow(self, monitor: Service) -> None:
        address = monitor.url.replace("http", "ws") + "/api/v1/feed"
        async with connect(
            address, max_size=None, compression=None, open_timeout=_SILENCE_S, close_timeout=0.2, proxy=None
        ) as socket:
            self.connections += 1
            self._socket = socket
            while True:
                message = json.loads(await self._hear(socket))
                await self._take_time()
                self._check(message)
                if message["type"] == "hello":
                    await socket.send(self.wanted.message(self.picture))
                self._heard = time.monotonic()
                self.picture.take(message, self._heard)
                if message["type"] in ("snapshot", "resumed"):
                    self.monitor = monitor
                    self._attempt = 0
                    self.resumed += message["type"] == "resumed"

    async def _take_time(self) -> None:
        """As long as it needs for a message; what comes meanwhile waits at the other end."""
        if not self._quick.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if math.isinf(self._each_s) else self._each_s):
                    await self._quick.wait()

    def slow_down(self, each_s: float) -> None:
        """From now on each message takes it so long, for ever where that is infinite; 0: it is quick again."""
        self._each_s = each_s
        if each_s:
            self._quick.clear()
        else:
            self._quick.set()

    async def _hear(self, socket: ClientConnection) -> str | bytes:
        async with asyncio.timeout(_SILENCE_S):
            return await socket.recv()

    def _check(self, message: Mapping[str, Any]) -> None:
        known = self.picture
        if message["type"] == "delta":
            if known.position is None:
                self.wrong.append("a delta before the first snapshot")
            elif message["position"] <= known.position:
                self.wrong.append(f"position {message['position']} after {known.position}")
        if message["type"] == "resumed" and message["epoch"] != known.epoch:
            self.wrong.append(f"resumed epoch {message['epoch']}, had {known.epoch}")

    def drop(self) -> None:
        """Its connection is gone at once, without a word to either side."""
        if self._socket is not None:
            self._socket.transport.abort()

    def shown(self) -> dict[str, dict[str, Any]]:
        """What it shows, by kind and key. What time it is at a site comes by messages of its own."""
        found = {kind: dict(entities) for kind, entities in self.picture.floor.items()}
        for site, told in self.picture.times.items():
            if site in found["site"]:
                now = told.now.isoformat().replace("+00:00", "Z")
                found["site"][site] = dict(found["site"][site]) | {"now": now}
        return found


WANTED: Final = (
    Wanted(),
    Wanted(channels=("flags",)),
    Wanted(filter={"sites": ["north"]}, query="site=north"),
    Wanted(filter={"queues": ["sales"]}, query="queue=sales"),
)


async def once(monitor: Service, wanted: Wanted) -> None:
    """A board that comes until it has its picture, and is gone without a word."""
    address = monitor.url.replace("http", "ws") + "/api/v1/feed"
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            async with (
                asyncio.timeout(_LONGEST_STORM_S),
                connect(address, max_size=None, compression=None, open_timeout=None, proxy=None) as socket,
            ):
                picture = Picture()
                await socket.send(wanted.message(picture))
                while picture.position is None:
                    picture.take(json.loads(await socket.recv()), time.monotonic())
                socket.transport.abort()
                return
        except (ConnectionClosed, OSError, TimeoutError, InvalidHandshake):
            await asyncio.sleep(wait_s)  # as every client does that is refused
            wait_s = min(_LONGEST_WAIT_S, wait_s * 2)


@contextlib.asynccontextmanager
async def stuck(monitors: Sequence[Service], number: int) -> AsyncIterator[None]:
    """So many boards that ask for everything and read nothing."""
    async with contextlib.AsyncExitStack() as stack:
        for count in range(number):
            address = monitors[count % len(monitors)].url.replace("http", "ws") + "/api/v1/feed"
            socket = await connect(address, max_queue=1, max_size=None, compression=None, open_timeout=None, proxy=None)
            stack.callback(socket.transport.abort)
            await socket.send(Wanted().message(Picture()))
        yield


def boards(monitors: Sequence[Service], chance: Random) -> list[Board]:
    """One of each kind for each monitor, which it goes to first."""
    return [
        Board(f"{number}{monitor.name}", [monitor, *(one for one in monitors if one is not monitor)], wanted, chance)
        for number, wanted in enumerate(WANTED, 1)
        for monitor in monitors
    ]
