"""The monitor's feed as a server of its own: real engine, hub and HTTP side on a real port; the floor lives ten times a second.

Only the way from the broker to the engine is left out; P1, P3 and P4 measure that. Beside it a bare server, which writes ready
bytes to ready connections and does nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry

from services.monitor.core.engine import Engine
from services.monitor.endpoints import router_for
from services.monitor.feed.hub import Hub
from services.monitor.metrics import FeedMetrics
from services.monitor.rulefile import load_rulebook
from services.monitor.ruleslive import LiveRules
from shared.clock import SystemClock
from shared.codec import decode_event
from shared.events import Event
from shared.frames import frame_of
from shared.http import create_app, serve
from shared.sites import load_sites
from tests.bench.children import say
from tests.bench.floors import Load, Size
from tests.bench.leanclients import HOST
from tests.bench.monitor import RULES, SITES

TICK_S: Final = 0.1
_WARM_S: Final = 60.0  # of the floor's time, before anybody looks
_BEAT_S: Final = 0.005
_SETTLES_S: Final = 0.3  # what the last tick changed is out by then
_KEY: Final = re.compile(rb"sec-websocket-key: *(\S+)", re.IGNORECASE)
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Task(Struct, frozen=True):
    """A floor of `sites` times `crowd` times forty agents, and so many ticks of it; of a bare server only what it sends."""

    sites: int = 1
    crowd: int = 1
    ticks: int = 0
    delta_bytes: int = 0
    clock_bytes: int = 0


class Ran(Struct):
    """What a run of ticks took. The stalls are of the event loop, by the wall clock and in processor time of its own."""

    cpu_s: float
    lasts_s: float
    deltas: int = 0
    position: int = 0  # that they lead to
    stall_ms: float = 0.0
    stall_cpu_ms: float = 0.0


class Heartbeat:
    """Notices for how long at most the loop did not come round."""

    def __init__(self) -> None:
        self.worst_s = self.worst_cpu_s = 0.0

    async def run(self) -> None:
        while True:
            began, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_BEAT_S)
            self.worst_s = max(self.worst_s, time.perf_counter() - began - _BEAT_S)
            self.worst_cpu_s = max(self.worst_cpu_s, time.thread_time() - cpu)


def ticks_of(load: Load) -> Iterator[list[Event]]:
    """What happens between one tick and the next: at least one event, and the sites' marks."""
    while True:
        now: list[Event] = []
        events = marks = 0
        for item in load.run(1.0):
            now.append(decode_event(item.value))
            mark = b".clock." in item.value
            events += not mark
            marks += mark
            if mark and events and marks % load.size.sites == 0:
                yield now
                now, events = [], 0


class Floor:
    """Engine, hub and the HTTP side around them."""

    def __init__(self, task: Task) -> None:
        clock, registry = SystemClock(), CollectorRegistry()
        rules = load_rulebook(RULES)
        self.engine = Engine(load_sites(SITES), rules)
        load = Load(Size(task.sites, task.crowd), mark_s=TICK_S)
        for item in (*load.opening(), *load.run(_WARM_S)):
            self.engine.apply(decode_event(item.value))
        self._coming = list(islice(ticks_of(load), task.ticks))
        self.metrics = FeedMetrics.on(registry)
        self.hub = Hub(self.engine, clock, self.metrics)
        self.app = create_app("monitor", registry=registry)
        self.app.include_router(router_for(self.engine, self.hub, LiveRules(rules, clock, registry, _nothing)))
        self.heart = Heartbeat()
        self.began_cpu_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def listen(self, port: int) -> None:
        """Serve from now on; the parent is told where, and since when."""
        self.began_cpu_s = time.process_time()
        self._tasks += [
            asyncio.create_task(self.hub.run_clock()),
            asyncio.create_task(
                serve(self.app, HOST, port, on_started=lambda port: say({"port": port, "at": time.time()}))
            ),
        ]

    def live(self) -> None:
        """Tick until the coming is used up, whoever looks."""
        self._tasks.append(asyncio.create_task(self._tick()))

    async def run(self) -> Ran:
        """All ticks, measured."""
        before = self._deltas()
        beating = asyncio.create_task(self.heart.run())
        began, cpu = time.perf_counter(), time.process_time()
        await self._tick()
        await asyncio.sleep(_SETTLES_S)
        ran = Ran(
            time.process_time() - cpu, time.perf_counter() - began, self._deltas() - before, self.hub.log.position
        )
        beating.cancel()
        ran.stall_ms, ran.stall_cpu_ms = self.heart.worst_s * 1000, self.heart.worst_cpu_s * 1000
        return ran

    async def _tick(self) -> None:
        due = time.perf_counter()
        for events in self._coming:
            self.hub.on_batch([fact for event in events for fact in self.engine.apply(event)])
            due += TICK_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    def _deltas(self) -> int:
        return int(self.metrics.deltas._value.get())


def _nothing(rules: Any) -> None:
    pass


def floor(task: Task) -> None:
    """A child: the feed's server, until it is killed."""
    asyncio.run(_floor(task))


async def _floor(task: Task) -> None:
    """`{"listen": port}`, `"live"`, `"run"`, `"used"`: seconds of processor time since it listens."""
    one = Floor(task)
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        match msgspec.json.decode(line):
            case {"listen": port}:
                one.listen(port)
            case "live":
                one.live()
            case "run":
                say(await one.run())
            case "used":
                say(time.process_time() - one.began_cpu_s)


class _Bare(asyncio.Protocol):
    """A connection that answers the upgrade, greets, and has `picture` for who asks."""

    def __init__(self, connected: set[asyncio.Transport], picture: bytes) -> None:
        self._connected = connected
        self._picture = picture
        self._held = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._connected.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._open:
            if data[0] == 0x81:
                self._transport.write(self._picture)
            return
        self._held += data
        if b"\r\n\r\n" not in self._held:
            return
        found = _KEY.search(self._held)
        assert found is not None
        accept = base64.b64encode(hashlib.sha1(found[1] + _MAGIC, usedforsecurity=False).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frame_of(b'{"type":"hello"}').wire
        )
        self._open = True
        self._connected.add(self._transport)


def bare(task: Task) -> None:
    """A child: a server that does nothing but write."""
    asyncio.run(_bare(task))


async def _bare(task: Task) -> None:
    """`{"listen": port}`, `"run"`. Its picture is `delta_bytes` long, too."""
    connected: set[asyncio.Transport] = set()
    picture = b'{"type":"snapshot","epoch":"bare","position":1,"part":1,"parts":1,"floor":"%b"}'
    whole = frame_of(picture % _padding(task.delta_bytes - len(picture))).wire
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        match msgspec.json.decode(line):
            case {"listen": port}:
                server = await asyncio.get_running_loop().create_server(
                    lambda: _Bare(connected, whole), HOST, port, backlog=2048
                )
                say({"port": server.sockets[0].getsockname()[1], "at": time.time()})
            case "run":
                say(await _write(connected, task))


async def _write(connected: set[asyncio.Transport], task: Task) -> Ran:
    """Deltas ten times a second, clocks twice, of the sizes that ours have."""
    delta = frame_of(b'{"type":"delta","position":1,"x":"%b"}' % _padding(task.delta_bytes - 36)).wire
    clock = frame_of(b'{"type":"clock","x":"%b"}' % _padding(task.clock_bytes - 23)).wire
    began, cpu = time.perf_counter(), time.process_time()
    due = began
    for number in range(task.ticks):
        for frame in (delta, clock) if number % 5 == 0 else (delta,):
            for transport in tuple(connected):
                transport.write(frame)
        due += TICK_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    await asyncio.sleep(_SETTLES_S)
    return Ran(time.process_time() - cpu, time.perf_counter() - began, task.ticks)


def _padding(size: int) -> bytes:
    return b"x" * max(0, size)
