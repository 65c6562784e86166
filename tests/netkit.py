"""A network that a test breaks: a TCP proxy before a real server.

    async with proxied(server_port) as proxy:       # clients are sent to proxy.port
        proxy.down.latency_s = 0.3                  # from now on, on connections that are open, too
        proxy.hold()                                # nothing passes, nobody is told; go_on() delivers it late, as TCP does
        proxy.go_silent()                           # half open: whoever writes is not answered, ever; restore() for new ones
        await proxy.refuse()                        # connections are reset, new ones refused; listen() ends that

A proxy stands above TCP: what is sent into silence is acknowledged, and a connection may be opened while nothing passes, as
with a server that hangs behind a load balancer. What bounds a client's wait there must be its own clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from typing import Final

from tools.servers import HOST, free_port

_CHUNK: Final = 1 << 16
_CHUNKS: Final = 64  # on their way in each direction of a connection; a sender that is ahead of them waits
_RESET: Final = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST and drops what is unsent


@dataclass
class Way:
    """What happens to the bytes of one direction. May be changed at any time.

    Bytes arrive in order, `latency_s` late, give or take up to `jitter_s`, in pieces of `pieces` bytes (from, to) each: of
    what comes at once the first `sliced` bytes, where heads and lengths are; all of a lively connection would take too long.
    `reset_after`: a connection is reset when it has carried so many bytes (from, to), drawn for each connection that is opened.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = math.inf
    pieces: tuple[int, int] | None = None
    sliced: int = 64
    reset_after: tuple[int, int] | None = None

    def clear(self) -> None:
        """As it was at first."""
        for field in fields(self):
            setattr(self, field.name, field.default)


class Proxy:
    """Carries connections from `port` to `server` on this machine. What is left to chance follows from `seed`.

    `stands_for`: as which port of this machine a Kafka broker names itself in its answers; clients are told `port` instead.
    """

    def __init__(self, server: int, *, seed: int = 0, stands_for: int | None = None) -> None:
        self.port = free_port()
        self.server = server
        self.up = Way()
        self.down = Way()
        self.accepted = 0
        self.resets = 0
        self.chance = random.Random(seed)
        self.answer = None if stands_for is None else (_kafka_name(stands_for), _kafka_name(self.port))
        self._flows = asyncio.Event()
        self._flows.set()
        self._silent = False
        self._open: set[_Connection] = set()
        self._listener: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def listen(self) -> None:
        """Take connections; it does so on the same port each time."""
        self._listener = await asyncio.start_server(self._accept, HOST, self.port, limit=_CHUNK)

    async def refuse(self) -> None:
        """Nobody listens any more, and whoever is connected is reset."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.reset()

    def hold(self) -> None:
        """Nothing passes until `go_on`, not even the news of it."""
        self._flows.clear()
        for one in self._open:
            one.flows.clear()

    def hold_busiest(self) -> None:
        """The same of the one connection that carried most from the server, while all others are well."""
        max(self._open, key=lambda one: one.told).flows.clear()

    def go_on(self) -> None:
        """What was held passes now."""
        self._flows.set()
        for one in self._open:
            one.flows.set()

    def go_silent(self) -> None:
        """What is sent on the connections that are open, or opened until `restore`, is lost for ever, and not even closed."""
        self._silent = True
        for one in self._open:
            one.silent = True

    def restore(self) -> None:
        """All is well, but for connections that fell silent."""
        self._silent = False
        self.up.clear()
        self.down.clear()
        self.go_on()

    def reset(self) -> None:
        """RST to both ends of every connection."""
        for one in list(self._open):
            one.reset()

    async def close(self) -> None:
        await self.refuse()
        tasks = [one.task for one in self._open if one.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection = _Connection(self, reader, writer, silent=self._silent)
        if not self._flows.is_set():
            connection.flows.clear()
        self._open.add(connection)
        try:
            await connection.carry()
        except asyncio.CancelledError:
            pass  # by `close`; asyncio's streams complain of a task that ends so
        finally:
            self._open.discard(connection)


class _Connection:
    """One client's connection and ours to the server."""

    def __init__(
        self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, silent: bool
    ) -> None:
        self.silent = silent
        self.told = 0  # bytes from the server
        self.flows = asyncio.Event()
        self.flows.set()
        self.task = asyncio.current_task()
        self._proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self._over = False

    async def carry(self) -> None:
        """Until both ends have closed, or one is lost."""
        try:
            await self.flows.wait()
            reader, writer = await asyncio.open_connection(HOST, self._proxy.server, limit=_CHUNK)
            self._writers.append(writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(self._proxy.up, self._reader, writer, None))
                both.create_task(self._carry(self._proxy.down, reader, self._writers[0], self._proxy.answer))
        except* (OSError, asyncio.IncompleteReadError):
            self.reset()  # what one end lost, the other is to lose, too
        finally:
            for writer in self._writers:
                writer.close()

    def reset(self) -> None:
        if not self._over:
            self._over = True
            self._proxy.resets += 1
            for writer in self._writers:
                ours = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()

    async def _carry(
        self,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: tuple[bytes, bytes] | None,
    ) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        left = self._proxy.chance.randint(*way.reset_after) if way.reset_after is not None else None
        underway: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._take(way, reader, underway, answer))
            both.create_task(self._give(way, writer, underway, left))

    async def _take(
        self,
        way: Way,
        reader: asyncio.StreamReader,
        underway: asyncio.Queue[tuple[float, bytes]],
        answer: tuple[bytes, bytes] | None,
    ) -> None:
        """Read, and say of each chunk when it is there. An empty one is the end."""
        loop = asyncio.get_running_loop()
        kept = b""
        chunk = b"-"
        while chunk:
            await self.flows.wait()
            chunk = await reader.read(_CHUNK)
            if self.silent:
                continue
            late_s = max(0.0, way.latency_s + self._proxy.chance.uniform(-way.jitter_s, way.jitter_s))
            told = kept + chunk
            if answer is not None:
                told = told.replace(*answer)
                kept = told[len(told) - _begun(told, answer[0]) :] if chunk else b""
                told = told[: len(told) - len(kept)]
            if way is self._proxy.down:
                self.told += len(chunk)
            if told:
                await underway.put((loop.time() + late_s, told))
        if self.silent:
            await asyncio.Event().wait()  # of the end, too, the other side hears nothing
        await underway.put((loop.time(), b""))

    async def _give(
        self,
        way: Way,
        writer: asyncio.StreamWriter,
        underway: asyncio.Queue[tuple[float, bytes]],
        left: int | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await underway.get()
            await asyncio.sleep(due - loop.time())
            if not chunk:
                break
            for piece in self._pieces(way, chunk):
                await self.flows.wait()
                if self.silent:
                    break
                if left is not None:
                    left -= len(piece)
                    if left < 0:
                        self.reset()
                        return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0 if math.isinf(way.bytes_per_s) else len(piece) / way.bytes_per_s)
        if writer.can_write_eof() and not self.silent:
            writer.write_eof()

    def _pieces(self, way: Way, chunk: bytes) -> list[bytes]:
        if way.pieces is None:
            at_once = len(chunk) if math.isinf(way.bytes_per_s) else max(1, int(way.bytes_per_s / 50))
            return [chunk[start : start + at_once] for start in range(0, len(chunk), at_once)]
        pieces = []
        start = 0
        while start < min(len(chunk), way.sliced):
            end = start + self._proxy.chance.randint(*way.pieces)
            pieces.append(chunk[start:end])
            start = end
        return [*pieces, chunk[start:]] if start < len(chunk) else pieces


@contextlib.asynccontextmanager
async def proxied(server: int, *, seed: int = 0, stands_for: int | None = None) -> AsyncIterator[Proxy]:
    """A proxy before `server`, a port of this machine, until the end of the block."""
    proxy = Proxy(server, seed=seed, stands_for=stands_for)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()


class ThroughProxy:
    """A broker as a client has it whose way there is a proxy: what it asks of `tests.brokers.Broker` to connect."""

    def __init__(self, proxy: Proxy, *, idempotent: bool) -> None:
        self.bootstrap = proxy.address
        self.idempotent = idempotent


def _kafka_name(port: int) -> bytes:
    """How a broker's answers name it: the end of its host's name, then its port, in every version of the protocol.

    Both names have the same length, so nothing else of an answer changes.
    """
    return HOST.encode() + struct.pack(">i", port)


def _begun(chunk: bytes, name: bytes) -> int:
    """How many bytes at the end of `chunk` may be the beginning of `name`."""
    return next((size for size in range(min(len(name) - 1, len(chunk)), 0, -1) if chunk.endswith(name[:size])), 0)
