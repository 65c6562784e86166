"""G.711 under the label of PCM is recognised whatever is said in it; PCM is never taken for it, whatever it is."""

from __future__ import annotations

import lzma
import math
from array import array
from functools import lru_cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.monitor.listen.relay.g711 import from_alaw, from_ulaw
from services.monitor.listen.relay.media import BadAudio, Stream, interleaved
from tests.audiokit import MONO_FRAME, STEREO_FRAME, chunks, pcm_of, samples

RECORDINGS = Path(__file__).parents[2] / "services/ingest/connectors/simulator/sound/recordings"
NAMES = sorted(path.name for path in RECORDINGS.glob("*.ulaw.xz"))
PART = 8000 * 5  # samples of a case: 5 s

voices = st.sampled_from(NAMES)


@lru_cache
def codes(name: str) -> bytes:
    """A recording in µ-law, without what parts its lines."""
    return lzma.decompress((RECORDINGS / name).read_bytes()).replace(b"\x7f" * 200, b"")


@lru_cache
def as_alaw() -> bytes:
    """For each code of µ-law the nearest of A-law."""
    alaw = samples(from_alaw(bytes(range(256))))
    return bytes(
        min(range(256), key=lambda code: abs(alaw[code] - value)) for value in samples(from_ulaw(bytes(range(256))))
    )


def part(name: str, first: float, size: int = PART) -> bytes:
    found = codes(name)
    at = int(first * max(0, len(found) - size))
    return found[at : at + size]


def heard(sound: bytes, size: int, *, split: bool) -> bytes:
    """What is passed on of sound that comes in payloads of `size`, 20 ms apart. Raises BadAudio."""
    stream = Stream("slin", 8000, split=split)
    return b"".join(
        one for number, payload in enumerate(chunks(sound, size)) for one in stream.take(payload, number * 0.02)
    )


def test_there_are_eight_voices() -> None:
    assert len(NAMES) == 8


@settings(max_examples=24, deadline=None)
@given(voices, voices, st.floats(0, 1), st.booleans(), st.booleans(), st.sampled_from([MONO_FRAME, STEREO_FRAME]))
def test_two_voices_in_either_law_are_recognised(
    one: str, other: str, first: float, alaw: bool, split: bool, size: int
) -> None:
    left, right = part(one, first), part(other, first)
    length = min(len(left), len(right))
    both = bytes(code for pair in zip(left[:length], right[:length], strict=True) for code in pair)
    loud = sum(abs(value) > 1000 for value in samples(from_ulaw(both)))
    assume(one != other and loud > len(both) / 20)  # somebody says something, and is not the other as well
    with pytest.raises(BadAudio, match="ask for slin"):
        heard(both.translate(as_alaw()) if alaw else both, size, split=split)


@pytest.mark.parametrize("name", NAMES)
def test_of_a_voice_alone_next_to_nothing_is_heard_as_noise(name: str) -> None:
    stream, passed = Stream("slin", 8000, split=True), 0

    def play() -> None:
        nonlocal passed
        for number, payload in enumerate(chunks(codes(name), MONO_FRAME)):
            passed += len(stream.take(payload, number * 0.02))

    with pytest.raises(BadAudio, match="ask for slin"):
        play()
    assert passed <= 4


@settings(max_examples=24, deadline=None)
@given(voices, voices, st.floats(0, 1), st.sampled_from([0.05, 1.0, 3.0, 10.0]), st.booleans())
def test_a_voice_in_pcm_is_never_refused_and_nothing_of_it_is_lost(
    one: str, other: str, first: float, gain: float, alone: bool
) -> None:
    left, right = from_ulaw(part(one, first)), from_ulaw(part(other, first))
    length = min(len(left), len(right))
    left, right = overdriven(left[:length], gain), bytes(length) if alone else right[:length]
    both = interleaved(left, right)
    assert heard(both, STEREO_FRAME, split=True) == both
    assert heard(left, MONO_FRAME, split=True) == left


def overdriven(pcm: bytes, gain: float) -> bytes:
    return pcm_of(array("h", (limited(value * gain) for value in samples(pcm))))


def limited(value: float) -> int:
    return max(-32768, min(32767, round(value)))


def tones(seconds: float, amplitude: float, *hz: float) -> bytes:
    steps = [2 * math.pi * one / 8000 for one in hz]
    count = int(8000 * seconds)
    return pcm_of(array("h", (limited(amplitude * sum(math.sin(s * n + 1) for s in steps)) for n in range(count))))


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.tuples(st.floats(20, 3400)),
        st.sampled_from([(low, high) for low in (697, 770, 852, 941) for high in (1209, 1336, 1477, 1633)]),
        st.sampled_from([(350, 440), (480, 620), (440, 480), (425,), (2100,), (1004,), (2000,), (3400,)]),
    ),
    st.floats(1, 32767),
    st.booleans(),
)
def test_tones_are_never_refused(hz: tuple[float, ...], amplitude: float, both: bool) -> None:
    sound = tones(1.5, amplitude, *hz)
    if both:
        sound = interleaved(sound, tones(1.5, amplitude / 3, 440))
    assert heard(sound, STEREO_FRAME if both else MONO_FRAME, split=True) == sound


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0, 1, 8, 100, 1000, 10_000, 32_767]), st.booleans())
def test_noise_and_silence_are_never_refused(seed: int, most: int, split: bool) -> None:
    chance = Random(seed)
    sound = pcm_of(array("h", (chance.randint(-most, most) for _ in range(24_000))))
    assert heard(sound, STEREO_FRAME, split=split) == sound


def test_silence_is_looked_at_until_somebody_speaks() -> None:
    """A call may begin on hold: that it is G.711 shows with the first word."""
    stream = Stream("slin", 8000, split=True)
    for number in range(500):
        assert stream.take(b"\xff" * MONO_FRAME, number * 0.02)
    with pytest.raises(BadAudio):
        [stream.take(payload, 10.0) for payload in chunks(codes(NAMES[0]), MONO_FRAME)]


def test_once_it_is_clear_frames_are_passed_on_as_they_are() -> None:
    stream = Stream("slin", 8000, split=False)
    for number, payload in enumerate(chunks(tones(2, 8000, 440), MONO_FRAME)):
        assert list(stream.take(payload, number * 0.02)) == [payload]
    assert stream.steady
