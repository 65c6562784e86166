"""The relay as a measured process: all of it but the broker, which is in memory. Beside it a bare one, which moves bytes only."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import struct
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, cast
from uuid import UUID

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry

from services.monitor.listen.contract import ForkOrdered, ListenOrdered, order
from services.monitor.listen.passes import sign_pass
from services.monitor.listen.relay.app import Relay
from shared import topics
from shared.clock import SystemClock
from shared.codec import encode
from shared.http import serve
from shared.memorybus import MemoryBus
from shared.service import Background
from shared.settings import RelaySettings
from tests.bench.audioends import HOST, WHOLE, Task, fork_of
from tests.bench.boardserver import Heartbeat
from tests.bench.children import say

__all__ = ["Ran", "Task", "bare", "relay"]

_SECRET: Final = "a secret of a benchmark, as long as it must be"
_USER: Final = "bench"
_KEY: Final = re.compile(rb"sec-websocket-key: *(\S+)", re.IGNORECASE)
_NUMBER: Final = re.compile(rb"/listens/l(\d+)/")
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HELLO: Final = b'\x81\x10{"type":"hello"}'
_HEADER: Final = struct.Struct("<BBBBIQ")


class Ran(Struct):
    """What a run took. The stalls are of the event loop, by the wall clock and in processor time of its own."""

    cpu_s: float
    lasts_s: float
    stall_ms: float
    stall_cpu_ms: float
    discarded: float = 0.0


class _Measure:
    """Processor time and stalls between `begin` and `end`."""

    def begin(self) -> None:
        self._heart = Heartbeat()
        self._beating = asyncio.create_task(self._heart.run())
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def end(self) -> Ran:
        ran = Ran(time.process_time() - self._cpu, time.perf_counter() - self._began, 0.0, 0.0)
        self._beating.cancel()
        ran.stall_ms, ran.stall_cpu_ms = self._heart.worst_s * 1000, self._heart.worst_cpu_s * 1000
        return ran


async def _obey(discarded: Callable[[], float]) -> None:
    """`"begin"`, `"end"`."""
    measure = _Measure()
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        match msgspec.json.decode(line):
            case "begin":
                measure.begin()
                say("began")
            case "end":
                ran = measure.end()
                ran.discarded = discarded()
                say(ran)


def _paths(calls: int) -> list[str]:
    now = SystemClock().now()
    names = [f"l{number}" for number in range(calls)]
    return [f"/api/v1/listens/{name}/audio?ticket={sign_pass(_SECRET, _USER, name, now)}" for name in names]


# ---------------------------------------------------------------- ours


def relay(task: Task) -> None:
    """A child: the relay, with so many calls ordered; says `{"port", "media", "paths"}`."""
    asyncio.run(_relay(task))


async def _relay(task: Task) -> None:
    clock, registry, bus = SystemClock(), CollectorRegistry(), MemoryBus()
    await bus.create(topics.ALL)
    await _order(bus, task.calls, clock)
    one = Relay(RelaySettings(auth_secret=_SECRET), bus, clock, registry)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(one.new_connection, HOST, 0, backlog=2048, start_serving=False)
    media = server.sockets[0].getsockname()[1]

    def started(port: int) -> None:
        say({"port": port, "media": media, "paths": _paths(task.calls)})

    async with Background() as background:
        one.start(background)
        background.start("media", one.media(server))
        background.start("http", serve(one.app(), HOST, 0, on_started=started))
        await _obey(lambda: sum(fork.late for fork in one.hub.forks.values()))


async def _order(bus: MemoryBus, calls: int, clock: SystemClock) -> None:
    now = clock.now()
    for number in range(calls):
        fork = ForkOrdered(
            fork_id=fork_of(number),
            call_id=f"c{number}",
            agent_id=f"a{number}",
            side="agent",
            audio="split",
            speaks=False,
            expires=now + timedelta(minutes=5),
        )
        listen = ListenOrdered(
            listen_id=f"l{number}",
            version=1,
            user=_USER,
            state="live",
            reason="",
            mode="listen",
            fork_id=fork_of(number),
            speak_fork_id="",
            call_id=f"c{number}",
            agent_id=f"a{number}",
            muted="",
            until=now + timedelta(hours=1),
        )
        for data in (fork, listen):
            made = order(data, id=f"{type(data).__name__}{number}", source="/bench", site="bench", time=now)
            await bus.publish(topics.LISTEN_ORDERS, encode(made), key="bench")
    await bus.flush()


# ---------------------------------------------------------------- the yardstick


class _Ear(asyncio.Protocol):
    """A page's connection: the upgrade, a greeting, and no more."""

    def __init__(self, ears: dict[int, Callable[[bytes], None]]) -> None:
        self._ears = ears
        self._held = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._open:
            return
        self._held += data
        key, number = _KEY.search(self._held), _NUMBER.search(self._held)
        if b"\r\n\r\n" not in self._held or key is None or number is None:
            return
        accept = base64.b64encode(hashlib.sha1(key[1] + _MAGIC, usedforsecurity=False).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + _HELLO
        )
        self._open = True
        self._ears[int(number[1])] = self._transport.write


class _Mouth(asyncio.Protocol):
    """A switch's connection: cuts frames out, writes each to its page."""

    def __init__(self, ears: dict[int, Callable[[bytes], None]]) -> None:
        self._ears = ears
        self._held = b""
        self._number = -1
        self._sequence = 0

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        if self._number < 0:
            if len(data) < 19:
                self._held = data
                return
            self._number, data = UUID(bytes=data[3:19]).int - 1, data[19:]
        place = 0
        while len(data) - place >= WHOLE:
            head = _HEADER.pack(1, 0, 2, 8, self._sequence, time.time_ns() // 1000)
            self._sequence += 1
            self._ears[self._number](b"\x82\x7e\x02\x90" + head + data[place + 3 : place + WHOLE])
            place += WHOLE
        self._held = data[place:]


def bare(task: Task) -> None:
    """A child: a relay that does nothing but move bytes; says what ours does."""
    asyncio.run(_bare(task))


async def _bare(task: Task) -> None:
    loop = asyncio.get_running_loop()
    ears: dict[int, Callable[[bytes], None]] = {}
    servers = [await loop.create_server(lambda kind=kind: kind(ears), HOST, 0, backlog=2048) for kind in (_Ear, _Mouth)]
    port, media = (one.sockets[0].getsockname()[1] for one in servers)
    say({"port": port, "media": media, "paths": _paths(task.calls)})
    await _obey(lambda: 0.0)
