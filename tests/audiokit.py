"""Sound for tests: tones, how strong a tone is in some sound, and both ends of AudioSocket.

Sound is `bytes` of 16-bit little-endian PCM everywhere; two channels are interleaved, left first. An AudioSocket frame is a
kind, a length (16 bits, big-endian) and a payload.
"""

from __future__ import annotations

import asyncio
import math
import struct
import sys
from array import array
from types import TracebackType
from typing import Self
from uuid import UUID

from tests.waiting import PATIENCE_S

RATE = 8000
FRAME_MS = 20
MONO_FRAME = RATE * FRAME_MS // 1000 * 2  # 320 bytes
STEREO_FRAME = 2 * MONO_FRAME  # 640 bytes

HANGUP, IDENTITY, DTMF, AUDIO, ERROR = 0x00, 0x01, 0x03, 0x10, 0xFF

# ---------------------------------------------------------------- sound


def samples(pcm: bytes) -> array[int]:
    """The samples in `pcm`, an incomplete last one aside."""
    found = array("h", pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        found.byteswap()
    return found


def pcm_of(values: array[int]) -> bytes:
    """The opposite of `samples`."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def tone(hz: float, amplitude: float, ms: int, rate: int = RATE, *, start_ms: float = 0.0) -> bytes:
    """A sine from `-amplitude` to `amplitude`, one channel; `start_ms` into it, so that pieces join without a click."""
    first, step = start_ms / 1000 * rate, 2 * math.pi * hz / rate
    return pcm_of(array("h", (round(amplitude * math.sin(step * (first + n))) for n in range(rate * ms // 1000))))


def silence(ms: int, rate: int = RATE) -> bytes:
    """Nothing, one channel."""
    return bytes(rate * ms // 1000 * 2)


def goertzel(pcm: bytes, rate: int, hz: float) -> float:
    """The amplitude of the sine of `hz` in one channel of sound: about `amplitude` for what `tone` made, near 0 for others.

    Two tones must be further apart than 1000 / (length in ms) Hz to be told from each other.
    """
    found = samples(pcm)
    if not found:
        return 0.0
    factor = 2 * math.cos(2 * math.pi * hz / rate)
    before = last = 0.0
    for one in found:
        before, last = last, one + factor * last - before
    power = last * last + before * before - factor * last * before
    return 2 * math.sqrt(max(0.0, power)) / len(found)


def level(pcm: bytes) -> float:
    """The root mean square of the samples: a sine of amplitude 1000 has 707."""
    found = samples(pcm)
    return math.sqrt(sum(one * one for one in found) / len(found)) if found else 0.0


def split(pcm_stereo: bytes) -> tuple[bytes, bytes]:
    """Left and right of interleaved sound."""
    both = samples(pcm_stereo)
    return pcm_of(both[0::2]), pcm_of(both[1::2])


def interleave(left: bytes, right: bytes) -> bytes:
    """Two channels of the same length as one sound."""
    ours, theirs = samples(left), samples(right)
    both = array("h", bytes(4 * len(ours)))
    both[0::2], both[1::2] = ours, theirs
    return pcm_of(both)


def chunks(pcm: bytes, size: int) -> list[bytes]:
    """`pcm` in pieces of `size` bytes; an incomplete last one is left out."""
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]


# ---------------------------------------------------------------- AudioSocket


def frame(kind: int, payload: bytes = b"") -> bytes:
    """One frame as it is sent."""
    return struct.pack(">BH", kind, len(payload)) + payload


def hello(fork_id: str) -> bytes:
    """The first frame of a connection: whose sound it is."""
    return frame(IDENTITY, UUID(fork_id).bytes)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes] | None:
    """The next frame as kind and payload; None when the connection is over, in mid-frame too."""
    try:
        kind, length = struct.unpack(">BH", await reader.readexactly(3))
        return kind, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


class AudioConnection:
    """One connection that came in at an `AudioServer`: what it said, and a way to answer. `pcm` grows while sound comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._moved = asyncio.Event()
        self.fork_id = ""
        self.sizes: list[int] = []  # of the sound frames' payloads
        self.times: list[float] = []  # of the loop's clock, when each came
        self.kinds: list[int] = []  # of all frames
        self.pcm = bytearray()
        self.over = False  # the other end closed
        self.reads = True

    async def listen(self) -> None:
        """Read to the end."""
        loop = asyncio.get_running_loop()
        while (found := await read_frame(self._reader)) is not None:
            kind, payload = found
            self.kinds.append(kind)
            if kind == IDENTITY:
                self.fork_id = str(UUID(bytes=payload))
            elif kind == AUDIO:
                self.sizes.append(len(payload))
                self.times.append(loop.time())
                self.pcm += payload
            self._moved.set()
        self.over = True
        self._moved.set()

    async def heard(self, frames: int, *, within_s: float = PATIENCE_S) -> bytes:
        """The sound of the next `frames` frames; fewer when the connection ends meanwhile."""
        first = len(self.pcm)
        await self.reached(len(self.sizes) + frames, within_s=within_s)
        return bytes(self.pcm[first:])

    async def reached(self, frames: int, *, within_s: float = PATIENCE_S) -> None:
        """Wait until `frames` frames of sound came in all, or the other end closed."""
        async with asyncio.timeout(within_s):
            while len(self.sizes) < frames and not self.over:
                await self._wait()

    async def ended(self, *, within_s: float = PATIENCE_S) -> None:
        """Wait until the other end closed."""
        async with asyncio.timeout(within_s):
            while not self.over:
                await self._wait()

    async def _wait(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def send(self, pcm: bytes) -> None:
        """Speak: one frame of sound."""
        self._writer.write(frame(AUDIO, pcm))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)

    def stop_reading(self) -> None:
        """Take nothing more from the wire."""
        self.reads = False
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def close(self) -> None:
        self._writer.close()


class AudioServer:
    """Where a switch sends sound: `async with AudioServer() as media`. Everything that comes is kept."""

    def __init__(self) -> None:
        self.connections: list[AudioConnection] = []
        self._came = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"audiosocket://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for one in self.connections:
            one.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = AudioConnection(reader, writer)
        self.connections.append(connection)
        self._came.set()
        try:
            await connection.listen()
        finally:
            writer.close()

    async def connection(self, number: int = 0, *, within_s: float = PATIENCE_S) -> AudioConnection:
        """The connection that came as `number`, from 0 on."""
        async with asyncio.timeout(within_s):
            while len(self.connections) <= number:
                self._came.clear()
                await self._came.wait()
        return self.connections[number]

    async def of(self, fork_id: str, *, within_s: float = PATIENCE_S) -> AudioConnection:
        """The connection of a fork, once it said so."""
        async with asyncio.timeout(within_s):
            number = 0
            while True:
                one = await self.connection(number)
                while not one.fork_id and not one.over:
                    await one._wait()
                if one.fork_id == fork_id:
                    return one
                number += 1


class AudioCaller:
    """What a switch's leg does: connects, says whose sound it sends, sends it, hears what comes back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.back = AudioConnection(reader, writer)  # `pcm`: what the other end spoke
        self._reading = asyncio.create_task(self.back.listen())

    @classmethod
    async def connect(cls, host: str, port: int, fork_id: str) -> AudioCaller:
        caller = cls(*await asyncio.open_connection(host, port))
        caller._writer.write(hello(fork_id))
        return caller

    async def send(self, pcm: bytes) -> None:
        """One frame of sound."""
        self._writer.write(frame(AUDIO, pcm))
        await self._writer.drain()

    async def play(self, pcm: bytes, size: int) -> None:
        """Frames of `size` bytes, 20 ms apart, as a switch sends them."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, one in enumerate(chunks(pcm, size)):
            await asyncio.sleep(max(0.0, began + number * FRAME_MS / 1000 - loop.time()))
            await self.send(one)

    async def close(self) -> None:
        self._writer.close()
        self._reading.cancel()
        await asyncio.wait([self._reading])
