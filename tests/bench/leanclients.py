"""A thousand boards in one process that cost next to nothing: raw connections that read frames' lengths and throw the rest away.

A client notes what it got by kind, when its snapshot was whole and under which epoch it is. It asks for a ticket first, as
the page does, where it is told to.
"""

from __future__ import annotations

import asyncio
import re
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from tests.bench.children import say

HOST: Final = "127.0.0.1"
_SEEN: Final = 240  # bytes of a message that tell what it is
_KIND: Final = 9  # where its type begins: {"type":"delta"
_PART: Final = re.compile(rb'"epoch":"([^"]*)","position":(\d+),"part":(\d+),"parts":(\d+)')
_POSITION: Final = re.compile(rb'"position":(\d+)')
_TICKET: Final = re.compile(rb'"ticket":"([^"]+)"')
_GIVE_UP_S: Final = 60.0


class Task(Struct, frozen=True):
    """`count` clients; of filters, if any, each takes the next."""

    count: int
    filters: tuple[dict[str, Any], ...] = ()


class Got(Struct):
    """What all clients have got since they were last told to begin to count; counts of the one that got fewest and most."""

    deltas: tuple[int, int]
    clocks: tuple[int, int]
    messages: int
    delta_bytes: int
    clock_bytes: int
    positions: tuple[int, int]  # of the last delta
    lost: int  # connections that ended


def text_frame(message: Any) -> bytes:
    """A client's text frame; the mask is zeros, which the other side has to undo like any."""
    payload = msgspec.json.encode(message)
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else struct.pack("!BBH", 0x81, 0xFE, size)
    return head + b"\0\0\0\0" + payload


def upgrade(port: int, ticket: str = "") -> bytes:
    """The request that makes a connection a WebSocket."""
    query = f"?ticket={ticket}" if ticket else ""
    return (
        f"GET /api/v1/feed{query} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


class Client(asyncio.Protocol):
    """One board."""

    def __init__(self, request: bytes, first: bytes, on_whole: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """`first` is what it says when it has been greeted."""
        self.deltas = self.clocks = self.delta_bytes = self.clock_bytes = self.picture_bytes = 0
        self.epoch, self.position = "", 0
        self.newest = b""  # the beginning of the last delta
        self.whole_at = 0.0  # wall clock
        self._request, self._first = request, first
        self._on_whole, self._on_lost = on_whole, on_lost
        self._open = False
        self._held = b""
        self._skip = 0  # bytes of the message that are still to come
        self._last = False  # and with it the snapshot is whole
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        if self._skip:
            if len(data) < self._skip:
                self._skip -= len(data)
                return
            data, self._skip = data[self._skip :], 0
            self._ended()
        if self._held:
            data = self._held + data
        self._held = self._frames(data) if self._open else self._upgraded(data)

    def _upgraded(self, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return data
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError(f"no WebSocket: {head[:200]!r}")
        self._open = True
        return self._frames(rest)

    def _frames(self, data: bytes) -> bytes:
        """Go through whole frames; what is left, when too little of the next is there to tell what it is."""
        place, have = 0, len(data)
        while have - place >= 2:
            size, head = data[place + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[place + 2 : place + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(data[place + 2 : place + 10], "big"), 10
            begin = place + head
            if have - begin < min(size, _SEEN):
                break
            self._began(data[place], size, data[begin : begin + min(size, _SEEN)])
            place = begin + size
            if place > have:
                self._skip = place - have
                return b""
            self._ended()
        return data[place:]

    def _began(self, opcode: int, size: int, seen: bytes) -> None:
        if opcode == 0x89:
            assert self.transport is not None
            self.transport.write(bytes((0x8A, 0x80 | size)) + b"\0\0\0\0" + seen)
            return
        kind = seen[_KIND : _KIND + 1]
        if kind == b"d":
            self.deltas += 1
            self.delta_bytes += size
            self.newest = seen
        elif kind == b"c":
            self.clocks += 1
            self.clock_bytes += size
        elif kind == b"s":
            self.picture_bytes += size
            self._part(seen)
        elif kind == b"h":
            assert self.transport is not None
            self.transport.write(self._first)

    def _part(self, seen: bytes) -> None:
        found = _PART.search(seen)
        if found is None:
            raise RuntimeError(f"a snapshot that is none: {seen!r}")
        self.epoch, self.position = found[1].decode(), int(found[2])
        self._last = found[3] == found[4]

    def _ended(self) -> None:
        if self._last:
            self._last = False
            self.whole_at = time.time()
            self._on_whole()


class _Ticket(asyncio.Protocol):
    """Asks for a ticket, as a page does before each connection."""

    def __init__(self, port: int, answer: asyncio.Future[str]) -> None:
        self._request = (
            f"POST /api/v1/tickets HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
        ).encode()
        self._answer = answer
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if (found := _TICKET.search(self._data)) and not self._answer.done():
            self._answer.set_result(found[1].decode())
            assert self._transport is not None
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(RuntimeError(f"no ticket: {self._data[:200]!r}"))


class Boards:
    """All clients of this process."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._clients: list[Client] = []
        self._whole = 0
        self._lost = 0
        self._changed = asyncio.Event()

    async def connect(self, port: int, *, tickets: bool) -> list[float]:
        """All at once, coming back where they were connected before. When each one's snapshot was whole, by the wall clock."""
        before, self._clients, self._whole, self._lost = self._clients, [], 0, 0
        await asyncio.gather(*(self._one(port, number, before, tickets=tickets) for number in range(self._task.count)))
        await self._until(lambda: self._whole >= self._task.count)
        return [client.whole_at for client in self._clients]

    async def _one(self, port: int, number: int, before: Sequence[Client], *, tickets: bool) -> None:
        loop = asyncio.get_running_loop()
        ticket = ""
        if tickets:
            answer: asyncio.Future[str] = loop.create_future()
            await loop.create_connection(lambda: _Ticket(port, answer), HOST, port)
            ticket = await answer
        first: dict[str, Any] = {"type": "subscribe"}
        if before:
            first = {"type": "resume", "epoch": before[number].epoch, "position": before[number].position}
        if self._task.filters:
            first["filter"] = self._task.filters[number % len(self._task.filters)]
        client = Client(upgrade(port, ticket), text_frame(first), self._one_whole, self._one_lost)
        self._clients.append(client)
        await loop.create_connection(lambda: client, HOST, port)

    async def all_lost(self) -> None:
        """Wait until no connection is left."""
        await self._until(lambda: self._lost >= self._task.count)

    def zero(self) -> None:
        """Begin to count."""
        for one in self._clients:
            one.deltas = one.clocks = one.delta_bytes = one.clock_bytes = 0

    def got(self) -> Got:
        clients = self._clients
        deltas, clocks = [one.deltas for one in clients], [one.clocks for one in clients]
        positions = [int(found[1]) if (found := _POSITION.search(one.newest)) else 0 for one in clients]
        return Got(
            deltas=(min(deltas), max(deltas)),
            clocks=(min(clocks), max(clocks)),
            messages=sum(deltas) + sum(clocks),
            delta_bytes=sum(one.delta_bytes for one in clients),
            clock_bytes=sum(one.clock_bytes for one in clients),
            positions=(min(positions), max(positions)),
            lost=self._lost,
        )

    def picture_bytes(self) -> int:
        """How long a snapshot was, on average."""
        return sum(one.picture_bytes for one in self._clients) // len(self._clients)

    def _one_whole(self) -> None:
        self._whole += 1
        self._changed.set()

    def _one_lost(self) -> None:
        self._lost += 1
        self._changed.set()

    async def _until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(_GIVE_UP_S):
            while not so():
                self._changed.clear()
                await self._changed.wait()


def boards(task: Task) -> None:
    """A child: does what it is told, until it is killed."""
    asyncio.run(_boards(task))


async def _boards(task: Task) -> None:
    """`{"connect": port, "tickets": …}`, `"lost"`, `"zero"`, `"got"`, `"picture"`: each is answered."""
    clients = Boards(task)
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        match msgspec.json.decode(line):
            case {"connect": port, "tickets": tickets}:
                say(await clients.connect(port, tickets=tickets))
            case "lost":
                await clients.all_lost()
                say("lost")
            case "zero":
                clients.zero()
                say("zero")
            case "got":
                say(clients.got())
            case "picture":
                say(clients.picture_bytes())
