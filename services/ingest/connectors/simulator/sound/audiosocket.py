"""One AudioSocket connection as a switch opens it: it says whose sound it is, sends frames, and hears what comes back.

A frame is a kind (1 byte), a length (2 bytes, big-endian) and a payload; sound is 16-bit little-endian PCM, 8 kHz.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from services.ingest.connectors.simulator.sound.pcm import FRAME_BYTES, Sound, from_wire

IDENTITY: Final = 0x01
AUDIO: Final = 0x10
HANGUP: Final = 0x00

UNSENT_LIMIT: Final = (
    64 << 10
)  # bytes that may wait for the other end: two seconds of sound; frames beyond are left out
SPOKEN_LIMIT: Final = 10  # frames that may wait to be heard: 200 ms; the oldest are left out
_PRIMED: Final = 2  # frames that must be there before what comes in is heard, so that it does not stutter


class AudioConnection(asyncio.Protocol):
    """`over` is called once, when the connection is over whoever ended it, with why."""

    def __init__(self, fork_id: str) -> None:
        self._fork_id = fork_id
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._pcm = bytearray()
        self._spoken: deque[Sound[int]] = deque(maxlen=SPOKEN_LIMIT)
        self._primed = False
        self._why = "the other end closed"
        self.over: Callable[[str], None] | None = None
        self.is_over = False
        self.listens = False  # whether what comes in is kept
        self.sent = 0  # frames
        self.left_out = 0

    # ------------------------------------------------------------ what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=UNSENT_LIMIT)
        identity = UUID(self._fork_id).bytes
        transport.write(struct.pack(">BH", IDENTITY, len(identity)) + identity)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= 3:
            kind, length = struct.unpack_from(">BH", self._unread)
            if len(self._unread) < 3 + length:
                break
            payload = bytes(self._unread[3 : 3 + length])
            del self._unread[: 3 + length]
            if kind != AUDIO:
                # as Asterisk does: anything but sound ends the leg
                self._end("the other end hung up" if kind == HANGUP else f"the other end sent a frame of kind {kind}")
                return
            if self.listens:
                self._keep(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.is_over = True
        if self.over is not None:
            self.over(self._why)

    # ------------------------------------------------------------ what the switch does

    def send(self, frame: bytes) -> None:
        """One whole frame of sound; left out when the other end does not read."""
        if self._transport is None or self._transport.is_closing():
            return
        if self.unsent > UNSENT_LIMIT:
            self.left_out += 1
            return
        self._transport.write(frame)
        self.sent += 1

    @property
    def unsent(self) -> int:
        """Bytes that wait for the other end."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def spoken(self) -> Sound[int] | None:
        """The next frame of what the other end says; None when there is none."""
        if not self._primed and len(self._spoken) < _PRIMED:
            return None
        self._primed = bool(self._spoken)
        return self._spoken.popleft() if self._spoken else None

    def listen(self, listens: bool) -> None:
        """Hear what comes in from now on, or let it go."""
        self.listens = listens
        self._spoken.clear()
        self._pcm.clear()
        self._primed = False

    def close(self) -> None:
        """Hang up: the connection closes, and no frame says so before."""
        self._end("the switch closed")

    def _end(self, why: str) -> None:
        self._why = why
        if self._transport is None:
            return
        if self.unsent:
            self._transport.abort()  # what the other end did not read for so long it will not read now
        else:
            self._transport.close()

    def _keep(self, payload: bytes) -> None:
        self._pcm += payload
        while len(self._pcm) >= FRAME_BYTES:
            self._spoken.append(from_wire(bytes(self._pcm[:FRAME_BYTES])))
            del self._pcm[:FRAME_BYTES]


def audio_frame(pcm: bytes) -> bytes:
    """A frame of sound as it is sent."""
    return struct.pack(">BH", AUDIO, len(pcm)) + pcm


def address_of(media: str) -> tuple[str, int]:
    """Host and port of `audiosocket://host:port`. Raises ValueError for anything else."""
    parts = urlsplit(media)
    if parts.scheme != "audiosocket" or not parts.hostname or not parts.port:
        raise ValueError(f"{media!r} is not audiosocket://host:port")
    return parts.hostname, parts.port
