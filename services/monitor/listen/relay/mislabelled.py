"""G.711 under the label of 16-bit PCM, told by how it sounds. Pure.

Where two channels come in one, 320 bytes each 20 ms are either one channel of PCM or two of G.711, so their pace does not tell.
But read as G.711 such sound is smooth, as voices are, and read as PCM it is noise near the limits; what is PCM is never both.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from operator import sub
from typing import Final, Literal

from services.monitor.listen.relay.g711 import from_alaw, from_ulaw
from shared.errors import FloorwatchError

# measured on eight recorded voices in both laws and as PCM, overdriven up to eight times, on tones, DTMF, FSK and noise
_ROUGH: Final = 2500  # from one sample to the next, on average: noise, or a loud tone
_TIMES: Final = 4  # as rough as PCM as it is as G.711; of tones, DTMF and FSK at their loudest: at most 3.2
_DIFFERENT: Final = 80  # bytes in a frame; what is periodic or a square has fewer
_CUT: Final = 0.25  # of the samples at a limit: overdriven PCM
_LIMITS: Final = (0x7FFF, -0x8000, -0x0081, 0x0080)  # of either byte order
_LOOKED_AT: Final = 320  # bytes of a frame
_SMOOTH: Final = 2  # times as rough as G.711: it is PCM

_EVERY: Final = 3  # frames of which one is looked at, until one is odd: a look takes 20 µs, where it is loud 0.1 ms
_ODD_FRAMES: Final = 5
_HELD_FRAMES: Final = 10
_CLEAR_LOOKS: Final = 10
_LOUD_LOOKS: Final = 50  # 3 s of sound that is not near silence, and nothing odd: it is looked at no longer

MISLABELLED: Final = "under the label of 16-bit PCM: this is G.711 (µ-law or A-law); ask for slin: …/c(slin)"


class Mislabelled(FloorwatchError):
    """It is G.711."""


class Suspicion:
    """Frames of a fork until it is clear what they are. Those that sound like G.711 are held back, at most 0.2 s of them."""

    def __init__(self) -> None:
        self.over = False  # it is PCM; frames need not be shown any more
        self._held: list[bytes] = []
        self._odd = self._clear = self._loud = self._unseen = 0

    def take(self, frames: Iterable[bytes]) -> list[bytes]:
        """What may be passed on now. Raises Mislabelled."""
        return [passed for frame in frames for passed in self._look(frame)]

    def _look(self, frame: bytes) -> list[bytes]:
        self._unseen += 1
        if self.over or (self._unseen < _EVERY and not self._held):
            return [frame]
        self._unseen = 0
        found = look(frame)
        self._loud += found != "quiet"
        if found == "odd":
            self._odd, self._clear = self._odd + 1, 0
            if self._odd >= _ODD_FRAMES:
                raise Mislabelled(f"what was sent is noise {MISLABELLED}")
        elif found == "clear":
            self._odd, self._clear = 0, self._clear + 1
        if found != "clear" and (self._held or found == "odd") and len(self._held) < _HELD_FRAMES - 1:
            self._held.append(frame)
            return []
        passed, self._held, self._odd = [*self._held, frame], [], 0
        self.over = self.over or self._clear >= _CLEAR_LOOKS or self._loud >= _LOUD_LOOKS
        return passed


def look(frame: bytes) -> Literal["quiet", "open", "clear", "odd"]:
    """What a frame of one or two channels seems to be: next to silence, PCM (`clear`), G.711 (`odd`), or either."""
    frame = frame[:_LOOKED_AT]
    high = frame[1::2]
    if not high.strip(b"\x00\xff"):
        return "quiet"  # whichever it is nobody is startled
    words = array("h", frame)
    as_pcm = _roughness(words, 2)
    if as_pcm >= _ROUGH:
        as_pcm = min(as_pcm, _roughness(words, 1))
    if as_pcm < _ROUGH:  # and on both sides of 0, where PCM has these; G.711 has the one for its loudest samples alone
        return "clear" if b"\x00" in high and b"\xff" in high else "open"
    laws = [array("h", law(frame)) for law in (from_ulaw, from_alaw)]
    as_law = min(_roughness(one, step) for one in laws for step in (1, 2))
    if as_law > _SMOOTH * as_pcm:
        return "clear"
    if as_pcm < _TIMES * as_law or len(set(frame)) < _DIFFERENT:
        return "open"
    cut = sum(map(words.count, _LIMITS))
    return "open" if cut > _CUT * len(words) else "odd"


def _roughness(values: array[int], step: int) -> float:
    """How far a sample is from the one before, of the same channel where there are `step`."""
    found: float = sum(map(abs, map(sub, values[step:], values))) / (len(values) - step)
    return found
