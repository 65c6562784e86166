"""What a telephone plays: a small melody of our own on hold and in queues, the tone of a phone that rings elsewhere, and the
faint noise of a room in which nobody speaks."""

from __future__ import annotations

import math
from array import array
from functools import lru_cache
from random import Random
from typing import Final

from services.ingest.connectors.simulator.sound.pcm import FRAME, FRAME_S, RATE, SILENCE, Sound, frames_of

_STEP: Final = 18  # frames of a note: 0.36 s
_VOLUME: Final = 5000.0
_FAINT: Final = 20.0  # root mean square, -64 dBFS
# Semitones above A3 (220 Hz), a bar of eight to a line; None: the note before rings on
_MELODY: Final = (
    *(3, 10, 15, 19, 22, 19, 15, 10),
    *(0, 7, 12, 15, 19, 15, 12, 7),
    *(8, 12, 15, 20, 24, 20, 15, 12),
    *(10, 14, 17, 22, 26, 22, 17, None),
)


@lru_cache(maxsize=64)
def _note(semitones: int, steps: int) -> tuple[Sound[int], ...]:
    """A string that is plucked and fades away."""
    hz = 220 * 2 ** (semitones / 12)
    length = steps * _STEP * FRAME
    found = array("h")
    for n in range(length):
        at = n / RATE
        shape = min(1.0, n / 60) * math.exp(-4.5 * at / steps) * min(1.0, (length - n) / 200)
        turn = 2 * math.pi * hz * at
        found.append(round(_VOLUME * shape * (math.sin(turn) + 0.35 * math.sin(2 * turn) * math.exp(-3 * at))))
    return frames_of(found)


def music(tick: int) -> Sound[int]:
    """The melody, over and over; one for everybody who waits."""
    step, frame = divmod(tick, _STEP)
    place = step % len(_MELODY)
    semitones = _MELODY[place]
    if semitones is None:
        before = _MELODY[place - 1]
        assert before is not None
        return _note(before, 2)[_STEP + frame]
    rings_on = place + 1 < len(_MELODY) and _MELODY[place + 1] is None
    return _note(semitones, 2 if rings_on else 1)[frame]


def ringback(tick: int) -> Sound[int]:
    """450 Hz, one second of five, as in China."""
    return tone_frame(450, 3500, tick) if tick * FRAME_S % 5 < 1 else SILENCE


@lru_cache(maxsize=1)
def _noise() -> tuple[Sound[int], ...]:
    chance = Random("a room")
    return frames_of(array("h", (round(chance.gauss(0, _FAINT)) for _ in range(RATE))))


def room(tick: int) -> Sound[int]:
    """A line that is there, and nobody speaks."""
    frames = _noise()
    return frames[tick * 7 % len(frames)]


@lru_cache(maxsize=64)
def _cycle(hz: int, amplitude: int) -> tuple[Sound[int], ...]:
    """A tenth of a second, after which a tone of a multiple of 10 Hz is where it began."""
    step = 2 * math.pi * hz / RATE
    return frames_of(array("h", (round(amplitude * math.sin(step * n)) for n in range(RATE // 10))))


def tone_frame(hz: int, amplitude: int, tick: int) -> Sound[int]:
    """A sine; `hz` is a multiple of 10. Frames of ticks in a row join without a click."""
    cycle = _cycle(hz, amplitude)
    return cycle[tick % len(cycle)]
