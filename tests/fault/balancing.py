"""What stands between boards and two monitors: a load balancer that asks `/readyz`, and boards that keep what they noticed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from random import Random
from typing import Any, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from floorwatch.watch.picture import Picture
from tests.fault.kit import Service
from tests.waiting import beside
from tools.servers import HOST

PROBE_S: Final = 0.1
_SILENCE_S: Final = 3.0  # as docs/feed.md says of clients
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 5.0


class Balancer:
    """Hands each new connection to the next service that was ready when it was asked last; open ones stay where they are."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.port = 0
        self.refused = 0  # connections for which there was nobody
        self._services = services
        self._ready: list[Service] = []
        self._turn = itertools.count()
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def stands(self, service: Service) -> bool:
        """Whether connections may be handed to it."""
        return service in self._ready

    async def probe(self) -> None:
        """For ever; one that answers late keeps no other's answer waiting."""
        async with asyncio.TaskGroup() as each:
            for one in self._services:
                each.create_task(self._probe(one))

    async def _probe(self, service: Service) -> None:
        while True:
            ready = await service.readiness() == ""
            if ready != self.stands(service):
                self._ready = [one for one in self._services if (ready if one is service else self.stands(one))]
            await asyncio.sleep(PROBE_S)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        ready = self._ready
        try:
            if not ready:
                raise ConnectionRefusedError
            chosen = ready[next(self._turn) % len(ready)]
            to_reader, to_writer = await asyncio.open_connection(HOST, chosen.port)
        except OSError:
            self.refused += 1
            writer.close()
            return
        try:
            await asyncio.gather(_pass_on(reader, to_writer), _pass_on(to_reader, writer))
        finally:
            to_writer.close()
            writer.close()

    async def close(self) -> None:
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while read := await reader.read(1 << 16):
            writer.write(read)
            await writer.drain()
        writer.write_eof()


@contextlib.asynccontextmanager
async def balanced(*services: Service) -> AsyncIterator[Balancer]:
    balancer = Balancer(services)
    server = await asyncio.start_server(balancer.carry, HOST, 0)
    balancer.port = server.sockets[0].getsockname()[1]
    probing = asyncio.create_task(balancer.probe())
    try:
        yield balancer
    finally:
        probing.cancel()
        server.close()
        await balancer.close()


class Watcher:
    """A board that does as docs/feed.md says. `wrong`: what it was sent that may not be, in words.

    `urls`: where it goes, to the next one after each connection that was lost. `tickets`: by which it asks for one before each
    connection, where people sign in. `channels`: none are all.
    """

    def __init__(
        self,
        urls: Sequence[str],
        chance: Random,
        tickets: httpx.AsyncClient | None = None,
        channels: Sequence[str] = (),
    ) -> None:
        self.picture = Picture()
        self.wrong: list[str] = []
        self.endings: Counter[int | str] = Counter()  # close codes, and names of what else ended a connection
        self.answers: Counter[str] = Counter()  # snapshots and resumptions
        self.gaps: list[float] = []  # from the last word of a connection until the next one's whole picture, seconds
        self.raised: dict[str, float] = {}  # flag -> when it came first, by our monotonic clock
        self.connected = False
        self.returned = 0  # flags that were over and stood again: of a monitor that is a moment behind the one before
        self._over: set[str] = set()  # flags that stood, and do no more
        self._urls = itertools.cycle(urls)
        self._tickets = tickets
        self._channels = channels
        self._chance = chance
        self._attempt = 0
        self._heard: float | None = None

    async def watch(self) -> None:
        """For ever."""
        while True:
            try:
                await self._follow()
            except ConnectionClosed as exc:
                code = exc.rcvd.code if exc.rcvd is not None else 1006
                self.endings[code] += 1
                if 4000 <= code < 4500:
                    self.wrong.append(f"closed with {code}, which says not to come back")
            except (OSError, TimeoutError, InvalidHandshake, httpx.TransportError) as exc:
                self.endings[type(exc).__name__] += 1
            self.connected = False
            full = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**self._attempt)
            self._attempt += 1
            await asyncio.sleep(full * (0.5 + self._chance.random() / 2))

    async def _follow(self) -> None:
        url = next(self._urls)
        address = url.replace("http", "ws") + "/api/v1/feed" + await self._ticket(url)
        async with connect(
            address, max_size=None, compression=None, open_timeout=_SILENCE_S, close_timeout=0.2, proxy=None
        ) as socket:
            while True:
                message = json.loads(await _hear(socket))
                if message["type"] == "hello":
                    known = self.picture
                    again = {"type": "resume", "epoch": known.epoch, "position": known.position}
                    ask = again if known.epoch is not None else {"type": "subscribe"}
                    await socket.send(json.dumps(ask | ({"channels": self._channels} if self._channels else {})))
                self._take(message)

    async def _ticket(self, url: str) -> str:
        if self._tickets is None:
            return ""
        answer = await self._tickets.post(f"{url}/api/v1/tickets")
        if answer.status_code == 503:
            raise ConnectionRefusedError
        if answer.status_code != 201:
            self.wrong.append(f"no ticket: {answer.status_code} {answer.text}")
        return "?ticket=" + str(answer.json().get("ticket", ""))

    def _take(self, message: Mapping[str, Any]) -> None:
        known, kind, now = self.picture, message["type"], time.monotonic()
        if kind == "delta" and (known.position is None or message["position"] <= known.position):
            self.wrong.append(f"position {message['position']} after {known.position}")
        if kind == "resumed" and message["epoch"] != known.epoch:
            self.wrong.append("resumed another epoch")
        before = set(known.floor["site"])
        if known.take(message, now):
            self._look(now)
        if lost := before - set(known.floor["site"]):
            self.wrong.append(f"{lost} went from the board by a {kind}")
        if kind == "resumed" or (kind == "snapshot" and message["part"] == message["parts"]):
            self.answers[kind] += 1
            self._attempt = 0
            if self._heard is not None and not self.connected:
                self.gaps.append(now - self._heard)
            self.connected = True
        if self.connected:
            self._heard = now

    def _look(self, now: float) -> None:
        standing = set(self.picture.floor["flag"])
        if again := standing & self._over:
            self.returned += len(again)
        for flag in standing - set(self.raised):
            self.raised[flag] = now
        self._over = set(self.raised) - standing


async def _hear(socket: ClientConnection) -> str | bytes:
    async with asyncio.timeout(_SILENCE_S):
        return await socket.recv()


@contextlib.asynccontextmanager
async def watched(*boards: Watcher) -> AsyncIterator[tuple[Watcher, ...]]:
    """At work."""
    async with beside(*(board.watch() for board in boards)):
        yield boards
