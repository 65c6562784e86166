"""Sound as it comes in, to frames of 20 ms of 16-bit little-endian PCM, one channel or two interleaved.

Pure: whoever receives sound gives its payloads to a `Stream`, whatever their size.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Final, Literal

from services.monitor.listen.relay.g711 import from_alaw, from_ulaw
from services.monitor.listen.relay.mislabelled import MISLABELLED, Mislabelled, Suspicion
from shared.errors import FloorwatchError

Encoding = Literal["slin", "ulaw", "alaw"]

FRAME_S: Final = 0.02
MIC_BYTES: Final = 320  # 20 ms of a microphone: 8 kHz, one channel
RATES: Final = (8000, 16000)

_DECODERS: Final = MappingProxyType[Encoding, Callable[[bytes], bytes] | None](
    {"slin": None, "ulaw": from_ulaw, "alaw": from_alaw}
)
_SUSPECT_BYTES: Final = 160  # 10 ms of PCM, or 20 ms of G.711 under its label
_SUSPECT_FRAMES: Final = 10  # to look at before one says which: 0.1 s of PCM, 0.2 s of G.711
_WINDOW_FRAMES: Final = 100
_TOO_SLOW: Final = 1.5  # times as long as PCM would take


class Malformed(FloorwatchError):
    """What came is not of the protocol that the connection is for."""


class BadAudio(FloorwatchError):
    """Sound that cannot be passed on. The message says what to change at the switch."""


class Stream:
    """One direction of sound of a fork. `split`: its order asked for two channels in one."""

    def __init__(self, encoding: Encoding, rate_hz: int, *, split: bool) -> None:
        """Raises BadAudio for a rate that nobody passes on."""
        if rate_hz not in RATES:
            raise BadAudio(f"sound of {rate_hz} Hz: ask for 8 kHz (slin) or 16 kHz (slin16)")
        self.rate_hz = rate_hz
        self.channels = 0  # not known before the first payload
        self._split = split
        self._decode = _DECODERS[encoding]
        self.unit = 0  # bytes of 20 ms as they come; not known before the first payload
        self._rest = b""
        as_labelled_by_mistake = encoding == "slin" and rate_hz == 8000
        self._doubt: Doubt | None = Doubt() if as_labelled_by_mistake else None
        self._suspicion: Suspicion | None = Suspicion() if as_labelled_by_mistake else None

    @property
    def steady(self) -> bool:
        """Whether the next payload of `unit` bytes is a frame as it is."""
        return bool(self.unit) and not self._rest and self._is_trusted and self._decode is None

    @property
    def _is_trusted(self) -> bool:
        return self._doubt is None and self._suspicion is None

    def take(self, payload: bytes, now: float) -> Sequence[bytes]:
        """The frames that are complete with `payload`, which came at `now` (monotonic seconds). Raises BadAudio."""
        if not payload:
            return ()
        if len(payload) == self.unit and not self._rest and self._is_trusted:
            return (payload if self._decode is None else self._decode(payload),)
        if self._doubt is not None:
            if len(payload) == _SUSPECT_BYTES:
                payload = self._doubt.take(payload, now)
            else:
                payload, self._doubt = self._doubt.held() + payload, None
        if not payload:
            return ()
        if not self.channels:
            self._settle(len(payload))
        frames = self._cut(payload)
        return frames if self._suspicion is None else self._passed(frames, self._suspicion)

    def _passed(self, frames: Sequence[bytes], suspicion: Suspicion) -> Sequence[bytes]:
        try:
            return suspicion.take(frames)
        except Mislabelled as exc:
            raise BadAudio(str(exc)) from None
        finally:
            if suspicion.over:
                self._suspicion = None

    def _settle(self, size: int) -> None:
        """How many channels: two were asked for, but an older switch may send one all the same."""
        mono = round(self.rate_hz * FRAME_S) * (1 if self._decode else 2)
        self.channels = 2 if self._split and size % (2 * mono) == 0 else 1
        self.unit = mono * self.channels

    def _cut(self, payload: bytes) -> Sequence[bytes]:
        data, unit = self._rest + payload, self.unit
        end = len(data) // unit * unit
        self._rest = data[end:]
        frames = [data[at : at + unit] for at in range(0, end, unit)]
        return frames if self._decode is None else [self._decode(one) for one in frames]


class Doubt:
    """Payloads of 160 bytes under the label of 8 kHz PCM. One each 10 ms is PCM; one each 20 ms is mislabelled G.711, which
    played as PCM is noise at full volume. The first are held back until that is clear, the others are watched on."""

    def __init__(self) -> None:
        self._held: list[bytes] | None = []
        self._first = 0.0
        self._seen = 0

    def held(self) -> bytes:
        """What was held back."""
        found = b"".join(self._held or ())
        self._held = None
        return found

    def take(self, payload: bytes, now: float) -> bytes:
        """What may be passed on. Raises BadAudio."""
        if self._seen == 0:
            self._first = now
        self._seen += 1
        if self._held is not None:
            self._held.append(payload)
            if self._seen <= _SUSPECT_FRAMES:
                return b""
            self._judge(now)
            return self.held()
        if self._seen > _WINDOW_FRAMES:
            self._judge(now)
            self._first, self._seen = now, 1
        return payload

    def _judge(self, now: float) -> None:
        as_pcm = (self._seen - 1) * FRAME_S / 2
        if now - self._first > as_pcm * _TOO_SLOW:
            raise BadAudio(f"160 bytes each 20 ms {MISLABELLED}")


def swapped(pcm: bytes) -> bytes:
    """Two interleaved channels, left for right."""
    pairs = array("I", pcm)
    pairs.byteswap()  # the other way round: right and left, each with its bytes turned
    sides = array("H", pairs.tobytes())
    sides.byteswap()
    return sides.tobytes()


def interleaved(left: bytes, right: bytes) -> bytes:
    """Two channels of the same length as one sound."""
    both = bytearray(2 * len(left))
    for first, one in ((0, left), (2, right)):
        both[first::4], both[first + 1 :: 4] = one[0::2], one[1::2]
    return bytes(both)


class Pair:
    """Two tracks that come in messages of their own, to frames of both: those that came as the n-th of their track together.

    A track that is three frames ahead no longer waits: the other is silent.
    """

    _AHEAD: Final = 3

    def __init__(self) -> None:
        self._tracks: tuple[deque[bytes], deque[bytes]] = (deque(), deque())

    def take(self, track: Literal[0, 1], frames: Sequence[bytes]) -> list[bytes]:
        """Frames of one track, 0 left or 1 right; the interleaved ones that are complete now."""
        ours, other = self._tracks[track], self._tracks[1 - track]
        ours.extend(frames)
        found = []
        while ours and (other or len(ours) > self._AHEAD):
            one = ours.popleft()
            two = other.popleft() if other else bytes(len(one))
            found.append(interleaved(one, two) if track == 0 else interleaved(two, one))
        return found
