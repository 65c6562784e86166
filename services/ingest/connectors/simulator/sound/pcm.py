"""Frames of sound: 20 ms of one channel, 8 kHz, 16 bits, as arrays that are never changed."""

from __future__ import annotations

import sys
from array import array
from itertools import repeat
from typing import Final

RATE: Final = 8000
FRAME_S: Final = 0.02
FRAME: Final = 160  # samples
FRAME_BYTES: Final = 2 * FRAME

Sound = array  # of 16-bit samples
SILENCE: Final = array("h", bytes(FRAME_BYTES))
_SWAPS = sys.byteorder == "big"


def _linear(code: int) -> int:
    """The sample that a byte of G.711 µ-law stands for."""
    code = ~code & 0xFF
    size = ((code & 0x0F) << 3) + 132 << (code >> 4 & 0x07)
    return 132 - size if code & 0x80 else size - 132


_LOW = bytes(_linear(code) & 0xFF for code in range(256))
_HIGH = bytes(_linear(code) >> 8 & 0xFF for code in range(256))


def from_wire(pcm: bytes) -> Sound[int]:
    """Samples from little-endian bytes."""
    sound = array("h", pcm)
    if _SWAPS:
        sound.byteswap()
    return sound


def to_wire(sound: Sound[int]) -> bytes:
    """Samples as little-endian bytes."""
    if _SWAPS:
        sound = sound[:]
        sound.byteswap()
    return sound.tobytes()


def from_ulaw(code: bytes) -> Sound[int]:
    """Samples from G.711 µ-law."""
    pcm = bytearray(2 * len(code))
    pcm[0::2], pcm[1::2] = code.translate(_LOW), code.translate(_HIGH)
    return from_wire(bytes(pcm))


def paced(sound: Sound[int], pace: float) -> Sound[int]:
    """The same, `pace` times as fast and as high: a voice that is another one."""
    step = round(pace * 256)  # in fixed point, because whoever hears this is waiting
    ats = range(0, step * length_of(len(sound), pace), step)
    sound = sound + sound[-1:]
    return array("h", [sound[at >> 8] + ((sound[(at >> 8) + 1] - sound[at >> 8]) * (at & 255) >> 8) for at in ats])


def length_of(samples: int, pace: float) -> int:
    """Samples of what is `paced`."""
    return (samples << 8) // round(pace * 256)


def frames_in(samples: int) -> int:
    """Frames that so many samples fill."""
    return -(-samples // FRAME)


def frames_of(sound: Sound[int]) -> tuple[Sound[int], ...]:
    """The sound in frames, the last one filled with silence."""
    whole = sound + array("h", bytes(2 * (-len(sound) % FRAME)))
    return tuple(whole[at : at + FRAME] for at in range(0, len(whole), FRAME))


def mixed(one: Sound[int], other: Sound[int]) -> Sound[int]:
    """Both at once; what would be too loud is cut."""
    if one is SILENCE:
        return other
    if other is SILENCE:
        return one
    return array("h", map(max, map(min, map(int.__add__, one, other), repeat(32767)), repeat(-32768)))


def interleaved(left: Sound[int], right: Sound[int]) -> Sound[int]:
    """Two channels as one sound, left first."""
    both = array("h", bytes(4 * len(left)))
    both[0::2], both[1::2] = left, right
    return both
