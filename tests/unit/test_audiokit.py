"""What tests say of sound holds."""

from __future__ import annotations

import pytest

from tests.audiokit import (
    MONO_FRAME,
    RATE,
    STEREO_FRAME,
    AudioCaller,
    AudioServer,
    chunks,
    goertzel,
    interleave,
    level,
    silence,
    split,
    tone,
)

FORK = "40325ec2-5efd-4bd3-805f-53576e581d13"


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("hz", [440, 660, 1000])
def test_a_tone_is_found_with_its_amplitude_and_no_other(rate: int, hz: int) -> None:
    sound = tone(hz, 6000, 200, rate)
    assert len(sound) == rate * 200 // 1000 * 2
    assert goertzel(sound, rate, hz) == pytest.approx(6000, rel=0.01)
    assert level(sound) == pytest.approx(6000 / 2**0.5, rel=0.01)
    for other in {440, 660, 1000} - {hz}:
        assert goertzel(sound, rate, other) < 100


def test_silence_has_no_tone() -> None:
    assert goertzel(silence(100), RATE, 440) == goertzel(b"", RATE, 440) == 0
    assert level(silence(100)) == level(b"") == 0


def test_two_sides_stay_apart() -> None:
    left, right = tone(1000, 5000, 100), tone(440, 3000, 100)
    both = interleave(left, right)
    assert split(both) == (left, right)
    assert len(both) == 5 * STEREO_FRAME


def test_pieces_of_a_tone_join() -> None:
    assert tone(440, 6000, 60, start_ms=0) == b"".join(tone(440, 6000, 20, start_ms=ms) for ms in (0, 20, 40))


async def test_both_ends_of_a_connection() -> None:
    async with AudioServer() as media:
        port = int(media.url.rsplit(":", 1)[1])
        caller = await AudioCaller.connect("127.0.0.1", port, FORK)
        sound = tone(440, 6000, 60)
        for one in chunks(sound, MONO_FRAME):
            await caller.send(one)
        there = await media.of(FORK)
        await there.reached(3)
        assert bytes(there.pcm) == sound
        assert there.sizes == [MONO_FRAME] * 3
        there.send(tone(1000, 500, 20))
        assert goertzel(await caller.back.heard(1), RATE, 1000) == pytest.approx(500, rel=0.02)
        await caller.close()
        await there.ended()


async def test_a_closed_connection_is_seen() -> None:
    async with AudioServer() as media:
        caller = await AudioCaller.connect("127.0.0.1", int(media.url.rsplit(":", 1)[1]), FORK)
        (await media.of(FORK)).close()
        await caller.back.ended()
        await caller.close()
