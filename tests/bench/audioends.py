"""Both ends of many listened calls, each in a process of its own: switches that speak, pages that hear.

Each frame carries the moment at which it was to be sent (the machine's monotonic clock): a sender that is late hides nothing.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import time
from array import array
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from tests.bench.children import say

HOST: Final = "127.0.0.1"
FRAME_S: Final = 0.02
PCM_BYTES: Final = 640  # 20 ms of two sides
STAMP: Final = struct.Struct("<QI")  # when it was due in ns, number
HEADER_BYTES: Final = 16  # of a frame of sound, before its PCM
AUDIO_HEAD: Final = struct.pack(">BH", 0x10, PCM_BYTES)
WHOLE: Final = len(AUDIO_HEAD) + PCM_BYTES
_STRIDE: Final = 10  # connections that are written to with one turn of the loop


class Task(Struct, frozen=True):
    """So many calls."""

    calls: int


class Heard(Struct):
    """What all pages heard since they were last told to begin to count. Latencies in milliseconds, from when a frame was due."""

    frames: int
    lost: int  # that should have come in between
    last: int  # the number of the last frame, of the page that is furthest behind
    p50_ms: float
    p99_ms: float
    max_ms: float


def fork_of(number: int) -> str:
    return str(UUID(int=number + 1))


# ---------------------------------------------------------------- switches


def switches(task: Task) -> None:
    """A child: `{"connect": port}`, then `{"play": seconds, "at": ns}`, which says how many frames each call had."""
    asyncio.run(_switches(task))


async def _switches(task: Task) -> None:
    loop = asyncio.get_running_loop()
    writes: list[asyncio.Transport] = []
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        match msgspec.json.decode(line):
            case {"connect": port}:
                for number in range(task.calls):
                    transport, _ = await loop.create_connection(asyncio.Protocol, HOST, port)
                    transport.write(struct.pack(">BH", 0x01, 16) + UUID(fork_of(number)).bytes)
                    writes.append(transport)
                say("connected")
            case {"play": seconds, "at": at}:
                say(await _play(writes, round(seconds / FRAME_S), at))


async def _play(writes: list[asyncio.Transport], frames: int, at: int) -> int:
    """Each call's frames 20 ms apart, the calls spread evenly over these."""
    rest = bytes(range(256)) * 3
    rest = rest[: PCM_BYTES - STAMP.size]
    apart = round(FRAME_S * 1e9) / len(writes)
    for number in range(frames):
        for first in range(0, len(writes), _STRIDE):
            due = at + round(number * FRAME_S * 1e9 + first * apart)
            wait = (due - time.monotonic_ns()) / 1e9
            await asyncio.sleep(max(0.0, wait))
            frame = AUDIO_HEAD + STAMP.pack(due, number) + rest
            for transport in writes[first : first + _STRIDE]:
                transport.write(frame)
    return frames


# ---------------------------------------------------------------- pages


class Page(asyncio.Protocol):
    """A WebSocket that reads when each frame of sound came, or, of a switch without a relay, the same of its own frames."""

    def __init__(self, request: bytes, late_us: array[int], direct: bool) -> None:
        self._request = request
        self._late_us = late_us
        self._direct = direct
        self._open = direct
        self._held = b""
        self.frames = self.lost = 0
        self.last = -1
        self.greeted = direct
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._request:
            transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self._held:
            data = self._held + data
        if not self._open:
            head, end, data_ = data.partition(b"\r\n\r\n")
            if not end:
                self._held = data
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                raise RuntimeError(f"no WebSocket: {head[:200]!r}")
            data, self._open = data_, True
        self._held = self._switched(data, now) if self._direct else self._frames(data, now)

    def _frames(self, data: bytes, now: int) -> bytes:
        place, have = 0, len(data)
        while have - place >= 4:
            size, begin = data[place + 1], place + 2
            if size == 126:
                size, begin = int.from_bytes(data[place + 2 : place + 4], "big"), place + 4
            if have - begin < size:
                break
            opcode = data[place]
            if opcode == 0x82:
                self._sound(data, begin + HEADER_BYTES, now)
            elif opcode == 0x89:
                assert self.transport is not None
                self.transport.write(bytes((0x8A, 0x80 | size)) + b"\0\0\0\0" + data[begin : begin + size])
            elif opcode == 0x88:
                raise RuntimeError(f"closed: {data[begin : begin + size]!r}")
            else:
                self.greeted = True
            place = begin + size
        return data[place:]

    def _switched(self, data: bytes, now: int) -> bytes:
        place, have = 0, len(data)
        while have - place >= 3:
            size = int.from_bytes(data[place + 1 : place + 3], "big")
            if have - place < 3 + size:
                break
            if data[place] == 0x10:
                self._sound(data, place + 3, now)
            place += 3 + size
        return data[place:]

    def _sound(self, data: bytes, at: int, now: int) -> None:
        due, number = STAMP.unpack_from(data, at)
        self.frames += 1
        if self.last >= 0:
            self.lost += number - self.last - 1
        self.last = number
        self._late_us.append(min(max(0, (now - due) // 1000), 0xFFFFFFFF))


def pages(task: Task) -> None:
    """A child: `{"listen": [url path, …], "port": port}`, `{"direct": true}` (says its port), `"zero"`, `"heard"`."""
    asyncio.run(_pages(task))


async def _pages(task: Task) -> None:
    loop = asyncio.get_running_loop()
    late_us: array[int] = array("I")
    those: list[Page] = []
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        match msgspec.json.decode(line):
            case {"listen": paths, "port": port}:
                for path in paths:
                    page = Page(_upgrade(path, port), late_us, direct=False)
                    those.append(page)
                    await loop.create_connection(lambda page=page: page, HOST, port)  # type: ignore[misc]
                while not all(page.greeted for page in those):
                    await asyncio.sleep(0.01)
                say("listening")
            case {"direct": True}:

                def one() -> Page:
                    those.append(Page(b"", late_us, direct=True))
                    return those[-1]

                server = await loop.create_server(one, HOST, 0, backlog=2048)
                say(server.sockets[0].getsockname()[1])
            case "zero":
                del late_us[:]
                for page in those:
                    page.frames = page.lost = 0
                say("zero")
            case "heard":
                say(_heard(those, late_us))


def _heard(those: list[Page], late_us: array[int]) -> Heard:
    ordered = sorted(late_us)
    at = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000 if ordered else 0.0 for share in (0.5, 0.99)]
    frames, lost = sum(page.frames for page in those), sum(page.lost for page in those)
    last = min((page.last for page in those), default=-1)
    return Heard(frames, lost, last, at[0], at[1], ordered[-1] / 1000 if ordered else 0.0)


def _upgrade(path: str, port: int) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
