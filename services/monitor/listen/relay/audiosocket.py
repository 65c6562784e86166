"""AudioSocket, by which a switch sends the sound of a call: TCP, frames of a kind, a length (16 bits, big-endian) and a payload.

The first frame is the UUID of the fork. There is neither a password nor TLS, so one that nobody ordered is refused.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final, cast
from uuid import UUID

import structlog

from services.monitor.listen.relay.fork import Fork, Refused
from services.monitor.listen.relay.hub import Hub
from services.monitor.listen.relay.media import BadAudio, Malformed, Stream
from shared.ports import keep_alive

log = structlog.get_logger()

HANGUP, IDENTITY, DTMF, ERROR = 0x00, 0x01, 0x03, 0xFF
RATES: Final = {
    0x10: 8000,
    0x11: 12000,
    0x12: 16000,
    0x13: 24000,
    0x14: 32000,
    0x15: 44100,
    0x16: 48000,
    0x17: 96000,
    0x18: 192000,
}
LONGEST: Final = 8192  # bytes of a payload: 20 ms at 192 kHz are 7680
IDENTITY_S: Final = 2.0  # a connection must say whose sound it brings
_MIC_HEAD: Final = struct.pack(">BH", 0x10, 320)
_UNSENT: Final = 10 * (3 + 320)  # what may wait for a switch that does not read


class Parser:
    """Bytes, in whatever pieces, to frames. Pure."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are complete with `data`, as kind and payload. Raises Malformed."""
        if self._rest:
            data = self._rest + data
        found = []
        at, end = 0, len(data)
        while end - at >= 3:
            size = data[at + 1] << 8 | data[at + 2]
            if size > LONGEST:
                raise Malformed(f"a frame of {size} bytes, more than {LONGEST}")
            stop = at + 3 + size
            if stop > end:
                break
            found.append((data[at], data[at + 3 : stop]))
            at = stop
        self._rest = data[at:]
        return found

    @property
    def holds(self) -> bool:
        """Whether a part of a frame waits for its rest."""
        return bool(self._rest)


class AudioSocket(asyncio.Protocol):
    """One connection of a switch."""

    can_speak = True

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._parser = Parser()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._fork: Fork | None = None
        self._named: str | None = None
        self._early: list[tuple[int, bytes]] = []  # what came with the name; nothing more is read until it is known
        self._stream: Stream | None = None
        self._kind = 0
        # bytes of a whole frame as nearly all come: alone, 20 ms, nothing to decode; 0 while others may come
        self._usual = 0
        self._usual_head = b""
        self._format = (0, 0)
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._over = False
        self.peer = ""

    # ---------------------------------------------------------------- what comes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A switch connects."""
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self.peer = f"{address[0]}:{address[1]}" if address else ""
        # one that vanished without a word is noticed within some ten seconds
        keep_alive(transport.get_extra_info("socket"), idle_s=5, every_s=2)
        if not self._hub.opened():
            self._refuse("busy")
            return
        self._timer = self._loop.call_later(IDENTITY_S, self._refuse, "unnamed")

    def data_received(self, data: bytes) -> None:
        """Some bytes: most often one frame of 20 ms, for which no list is made."""
        if len(data) == self._usual and data[:3] == self._usual_head and self._fork is not None:
            self._fork.sound(data[3:], self._loop.time(), *self._format)
            return
        if self._over:
            return
        self._usual = 0
        try:
            frames = self._parser.feed(data)
            if self._fork is not None:
                self._take(frames)
            elif self._named is None:
                self._name(frames)
            else:
                self._early += frames
        except Malformed as exc:
            self._end("malformed", str(exc))
        except BadAudio as exc:
            self._end("bad_audio", str(exc))

    def connection_lost(self, exc: Exception | None) -> None:
        """The switch hung up, or we did."""
        self._stop()
        if self._transport is not None:
            self._hub.closed()
            self._transport = None
        if self._fork is not None:
            self._fork.source_ended(self)

    # ---------------------------------------------------------------- what a fork does with it

    def speak(self, pcm: bytes) -> bool:
        """Send 20 ms of a microphone; False when the switch does not take it."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > _UNSENT:
            return False
        transport.write(_MIC_HEAD + pcm)
        return True

    def close(self) -> None:
        """Hang up, at once: the switch's leg ends with the connection."""
        self._stop()
        self._fork = None
        if self._transport is not None:
            self._transport.abort()

    # ---------------------------------------------------------------- inside

    def _take(self, frames: list[tuple[int, bytes]]) -> None:
        now = self._loop.time()
        for kind, payload in frames:
            fork = self._fork
            if fork is None:
                return
            if self._stream is not None and kind == self._kind:
                for pcm in self._stream.take(payload, now):
                    fork.sound(pcm, now, self._stream.channels, self._stream.rate_hz)
            else:
                self._other(fork, kind, payload, now)
        stream = self._stream
        if stream is not None and stream.steady and not self._parser.holds and self._fork is not None:
            self._usual = 3 + stream.unit
            self._usual_head = struct.pack(">BH", self._kind, stream.unit)
            self._format = (stream.channels, stream.rate_hz)

    def _other(self, fork: Fork, kind: int, payload: bytes, now: float) -> None:
        """The first frame of sound, or something else than sound."""
        if kind in RATES and not self._kind:
            self._stream = Stream("slin", RATES[kind], split=fork.order.audio == "split")
            self._kind = kind
            for pcm in self._stream.take(payload, now):
                fork.sound(pcm, now, self._stream.channels, self._stream.rate_hz)
        elif kind in RATES:
            raise BadAudio(f"sound of kind 0x{kind:02x} after such of kind 0x{self._kind:02x}")
        elif kind == HANGUP:
            fork.source_ended(self)
            self.close()
        elif kind == ERROR:
            fork.say_detail(f"the switch says error {payload.hex()}")
        else:
            self._hub.counts.odd_frames += kind != DTMF

    def _name(self, frames: list[tuple[int, bytes]]) -> None:
        if not frames:
            return
        (kind, payload), *self._early = frames
        if kind != IDENTITY or len(payload) != 16:
            raise Malformed(f"the first frame is of kind 0x{kind:02x} with {len(payload)} bytes, not a UUID")
        self._named = str(UUID(bytes=payload))
        assert self._transport is not None
        self._transport.pause_reading()
        self._cancel_timer()
        self._asking = self._loop.create_task(self._ask(self._named), name="fork")
        self._asking.add_done_callback(self._asked)

    async def _ask(self, fork_id: str) -> None:
        try:
            fork = await self._hub.admit(fork_id, self)
        except Refused:
            self.close()  # counted and reported there
            return
        if self._over or self._transport is None:
            fork.source_ended(self)
            return
        self._fork = fork
        early, self._early = self._early, []
        try:
            self._take(early)
        except BadAudio as exc:
            self._end("bad_audio", str(exc))
            return
        if not self._over and self._transport is not None:
            self._transport.resume_reading()

    def _asked(self, task: asyncio.Task[None]) -> None:
        """A fault of ours must not leave the switch waiting."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a switch's connection could not be taken in", fork=self._named, peer=self.peer, exc_info=error)
            if self._fork is not None:
                self._fork.close("an internal error of the relay")
            self.close()

    def _end(self, reason: str, detail: str) -> None:
        """Hang up because of what the switch sent."""
        fork = self._fork
        if fork is None:
            self._refuse(reason)
            return
        self.close()
        fork.bad(detail)

    def _refuse(self, reason: str) -> None:
        self._hub.refused(self._named or "", self.peer, reason)
        self.close()

    def _stop(self) -> None:
        self._over = True
        self._cancel_timer()
        self._early = []

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
