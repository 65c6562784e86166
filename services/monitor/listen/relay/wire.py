"""What goes to a page: frames of sound and JSON, as ready WebSocket frames (RFC 6455, section 5.2), and what comes from it."""

from __future__ import annotations

import struct
from typing import Final

import msgspec
from msgspec import Struct

VERSION: Final = 1
GAP, MUTED = 1, 2  # flags of a frame of sound
HEADER: Final = struct.Struct("<BBBBIQ")  # version, flags, channels, kHz, sequence, microseconds since 1970

BAD_PASS: Final = 4401
UNKNOWN: Final = 4404
OVER: Final = 4410
RELAY_ENDS: Final = 4501
TOO_SLOW: Final = 4503
TAKEN_OVER: Final = 4508
BUSY: Final = 4429

_BINARY, _TEXT = 0x82, 0x81  # final frames
_SHORT: Final = 125
_LONG: Final = 0xFFFF


def head(kind: int, size: int) -> bytes:
    """The head of a WebSocket frame of at most 64 KiB, from a server."""
    if size <= _SHORT:
        return bytes((kind, size))
    if size > _LONG:
        raise ValueError(f"a frame of {size} bytes")
    return struct.pack(">BBH", kind, 126, size)


class Sound:
    """Makes the frames of one fork: its rate, channels and length do not change."""

    def __init__(self, channels: int, rate_hz: int, pcm_bytes: int) -> None:
        self._head = head(_BINARY, HEADER.size + pcm_bytes)
        self._pack = struct.Struct(f"<{len(self._head)}s{HEADER.format.removeprefix('<')}").pack
        self._channels = channels
        self._khz = rate_hz // 1000
        self._silence = bytes(pcm_bytes)
        self.size = len(self._head) + HEADER.size + pcm_bytes
        self.pcm_bytes = pcm_bytes

    def frame(self, pcm: bytes, sequence: int, captured_us: int, flags: int = 0) -> bytes:
        """A frame with its WebSocket head; of `MUTED` ones nothing but silence."""
        if flags & MUTED:
            pcm = self._silence
        return self._pack(self._head, VERSION, flags, self._channels, self._khz, sequence, captured_us) + pcm


# ---------------------------------------------------------------- to the page


class Hello(Struct, frozen=True, tag_field="type", tag="hello"):
    """The first word. Times are microseconds since 1970 by the relay's clock."""

    listen_id: str
    now_us: int


class State(Struct, frozen=True, tag_field="type", tag="state"):
    """How it is with this listen. `state` is `live` while sound comes; `channels` and `rate_hz` 0 while none did."""

    state: str
    reason: str
    mode: str
    muted: str
    fork_id: str
    call_id: str
    agent_id: str
    channels: int
    rate_hz: int
    speaking: bool  # the microphone reaches the switch
    listeners: list[str]


class Discarded(Struct, frozen=True, tag_field="type", tag="discarded"):
    """So many frames were not sent, for they would have waited too long; `total` of this connection."""

    frames: int
    total: int
    where: str = "relay"


class Stats(Struct, frozen=True, tag_field="type", tag="stats"):
    """Once a second, of this connection and fork. `received` from the switch; `lost` never came, `late` came too late."""

    received: int
    lost: int
    late: int
    discarded: int
    gap_ms_max: int  # the longest time between two frames from the switch, of the last second or two
    spoken: int  # microphone frames sent to the switch
    spoken_discarded: int
    now_us: int


class Pong(Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to `Ping`."""

    n: int
    now_us: int


class Ended(Struct, frozen=True, tag_field="type", tag="ended"):
    """The listen is over: the last word before the close with 4410."""

    reason: str


Message = Hello | State | Discarded | Stats | Pong | Ended

_encoder: Final = msgspec.json.Encoder()


def text(message: Message) -> bytes:
    """The message as a ready WebSocket frame."""
    body = _encoder.encode(message)
    return head(_TEXT, len(body)) + body


# ---------------------------------------------------------------- from the page


class Ping(Struct, frozen=True, tag_field="type", tag="ping"):
    """How long the way there and back is; `n` comes back."""

    n: int


pages: Final = msgspec.json.Decoder(Ping)
