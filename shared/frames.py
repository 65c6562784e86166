"""Frames: messages as the bytes of a WebSocket text frame, built once and shared by all who get them."""

from __future__ import annotations

import struct
from typing import Final

import msgspec
from msgspec import Struct

FRAME_BYTES: Final = 1 << 16  # nothing is meant to be longer, so that what waits for a slow reader is bounded by bytes

_encode = msgspec.json.Encoder().encode


class Frame(Struct, frozen=True, gc=False):
    """One text frame as a server sends it: `wire` is its header, of `head` bytes, and its payload."""

    wire: bytes
    head: int

    @property
    def text(self) -> str:
        """The message."""
        return self.wire[self.head :].decode()


def frame_of(payload: bytes) -> Frame:
    """A whole text frame, unmasked, as RFC 6455 section 5.2 has it."""
    size = len(payload)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x81, 126, size)
    else:
        head = struct.pack("!BBQ", 0x81, 127, size)
    return Frame(head + payload, len(head))


def message_frame(message: Struct) -> Frame:
    """The frame of a short message."""
    return frame_of(_encode(message))
