"""Sound as it comes in: G.711, frames of any size, two channels, sound under a wrong label, late frames."""

from __future__ import annotations

import struct
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.listen.relay.audiosocket import LONGEST, Parser
from services.monitor.listen.relay.g711 import from_alaw, from_ulaw
from services.monitor.listen.relay.media import BadAudio, Malformed, Pair, Stream, interleaved, swapped
from services.monitor.listen.relay.slots import Slots
from tests.audiokit import frame, interleave, samples, split, tone

# ---------------------------------------------------------------- G.711


def test_ulaw_and_alaw_are_as_the_standard_has_them() -> None:
    """Decision values of ITU-T G.711, tables 1a and 2a, scaled to 16 bits."""
    ulaw = samples(from_ulaw(bytes(range(256))))
    assert (ulaw[0x00], ulaw[0x80], ulaw[0x7F], ulaw[0xFF]) == (-32124, 32124, 0, 0)
    assert (ulaw[0xEF], ulaw[0xF0], ulaw[0xFE], ulaw[0x8F]) == (132, 120, 8, 16764)
    alaw = samples(from_alaw(bytes(range(256))))
    assert (alaw[0xD5], alaw[0x55], alaw[0xAA], alaw[0x2A]) == (8, -8, 32256, -32256)
    assert (alaw[0xD4], alaw[0x80]) == (24, 5504)
    for table in (ulaw, alaw):
        assert sorted(-one for one in table) == sorted(table)  # both signs


def test_each_law_rises_with_its_code() -> None:
    ulaw = samples(from_ulaw(bytes(range(0xFF, 0x7F, -1))))
    assert list(ulaw) == sorted(ulaw)
    alaw = samples(from_alaw(bytes(code ^ 0x55 for code in range(0x80, 0x100))))
    assert list(alaw) == sorted(alaw)


# ---------------------------------------------------------------- AudioSocket


frames = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=700)), max_size=12)


@given(frames, st.lists(st.integers(0, 900), max_size=30))
def test_frames_are_the_same_in_whatever_pieces_they_come(sent: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(frame(kind, payload) for kind, payload in sent)
    places = [0, *(min(cut, len(data)) for cut in accumulate(cuts)), len(data)]
    parser = Parser()
    found = [one for first, last in pairwise(places) for one in parser.feed(data[first:last])]
    assert found == sent


def test_a_frame_that_is_too_long_is_no_audiosocket() -> None:
    assert Parser().feed(frame(0x10, bytes(LONGEST))) == [(0x10, bytes(LONGEST))]
    with pytest.raises(Malformed):
        Parser().feed(struct.pack(">BH", 0x10, LONGEST + 1))


# ---------------------------------------------------------------- streams


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40), st.sampled_from([8000, 16000]), st.booleans())
def test_sound_of_any_sizes_comes_out_in_frames_of_20_ms(sizes: list[int], rate: int, split_: bool) -> None:
    stream = Stream("slin", rate, split=split_)
    data = bytes(number % 251 for number in range(sum(sizes)))
    at, out, now = 0, b"", 0.0
    for size in sizes:
        now += size / 32000  # fast enough for PCM, whatever it is
        for one in stream.take(data[at : at + size], now):
            assert len(one) == rate // 50 * 2 * stream.channels
            out += one
        at += size
    assert data.startswith(out)
    assert len(data) - len(out) < rate // 50 * 4 + 11 * 160  # an incomplete frame, and what is held back at first


@pytest.mark.parametrize(
    ("rate", "split_", "size", "channels"),
    [(8000, True, 640, 2), (8000, True, 320, 1), (8000, False, 640, 1), (16000, True, 1280, 2), (16000, True, 640, 1)],
)
def test_two_channels_are_told_by_the_order_and_the_first_payload(
    rate: int, split_: bool, size: int, channels: int
) -> None:
    stream = Stream("slin", rate, split=split_)
    assert stream.take(bytes(size), 0.0)
    assert stream.channels == channels


@pytest.mark.parametrize(("encoding", "rate"), [("slin", 8000), ("slin", 16000), ("ulaw", 8000), ("alaw", 8000)])
def test_a_payload_without_sound_settles_nothing(encoding: Any, rate: int) -> None:
    stream = Stream(encoding, rate, split=True)
    assert list(stream.take(b"", 0.0)) == []
    assert (stream.channels, stream.unit) == (0, 0)
    unit = rate // 50 * (2 if encoding == "slin" else 1) * 2
    (frame_,) = stream.take(bytes(unit), 0.0)
    assert (stream.channels, len(frame_)) == (2, rate // 50 * 4)
    assert list(stream.take(b"", 0.0)) == []


def test_frames_of_10_ms_are_pcm_when_they_come_each_10_ms() -> None:
    stream = Stream("slin", 8000, split=False)
    sound = tone(440, 8000, 4000)
    out = b"".join(
        one for at in range(0, len(sound), 160) for one in stream.take(sound[at : at + 160], at / 160 * 0.01)
    )
    assert out == sound


@pytest.mark.parametrize("first", [0, 400])
def test_frames_of_10_ms_that_come_each_20_ms_are_no_pcm(first: int) -> None:
    """At once, or after some that were held up and came in a burst."""
    stream = Stream("slin", 8000, split=False)

    def play() -> None:
        for number in range(first + 250):
            stream.take(b"\xff" * 160, max(0, number - first) * 0.02)

    with pytest.raises(BadAudio, match="ask for slin"):
        play()


def test_left_and_right_change_places() -> None:
    left, right = tone(440, 8000, 20), tone(1000, 3000, 20)
    assert interleaved(left, right) == interleave(left, right)
    assert split(swapped(interleaved(left, right))) == (right, left)


@given(st.lists(st.sampled_from([0, 1]), max_size=60))
def test_two_tracks_are_paired_in_order_and_neither_waits_for_long(tracks: list[int]) -> None:
    pair, sent, out = Pair(), ([], []), []  # type: ignore[var-annotated]
    for track in tracks:
        sent[track].append(struct.pack("<h", len(sent[track]) + 1))
        out += pair.take(track, [sent[track][-1]])  # type: ignore[arg-type]
        assert max(map(len, sent)) - len(out) <= 3
    for side in (0, 1):
        heard = [one[2 * side : 2 * side + 2] for one in out]
        assert [one for one in heard if one != b"\0\0"] == sent[side][: sum(one != b"\0\0" for one in heard)]


# ---------------------------------------------------------------- late frames


def late_ones(arrivals: list[float]) -> list[int]:
    slots = Slots()
    return [number for number, now in enumerate(arrivals) if slots.late(now)]


@given(st.lists(st.floats(0, 0.19), min_size=1, max_size=500))
def test_jitter_drops_nothing(delays: list[float]) -> None:
    arrivals = list(accumulate((number * 0.02 + delay for number, delay in enumerate(delays)), max))
    assert late_ones(arrivals) == []


def test_of_a_second_that_was_held_up_only_the_last_200_ms_are_passed_on() -> None:
    held = [1.0 + 0.0001 * number for number in range(50)]
    arrivals = [*(number * 0.02 for number in range(50)), *(1.0 + one for one in held)]
    arrivals += [2.02 + number * 0.02 for number in range(50)]
    dropped = late_ones(arrivals)
    assert dropped == list(range(50, 50 + len(dropped)))
    assert 38 <= len(dropped) <= 42


def test_after_ten_seconds_that_were_held_up_sound_goes_on_at_once() -> None:
    arrivals = [number * 0.02 for number in range(50)] + [11.0 + 0.00001 * number for number in range(500)]
    dropped = late_ones([*arrivals, *(11.02 + number * 0.02 for number in range(50))])
    assert dropped == list(range(50, 50 + len(dropped)))
    assert 485 <= len(dropped) <= 495


def test_a_switch_that_pauses_is_heard_again_at_once() -> None:
    slots = Slots()
    arrivals = [*(number * 0.02 for number in range(50)), *(11.0 + number * 0.02 for number in range(50))]
    dropped = [number for number, now in enumerate(arrivals) if slots.late(now)]
    assert dropped == [50, 51]  # until it is clear that it is no burst
    assert slots.lost == pytest.approx(500, abs=5)


def test_a_switch_that_leaves_frames_out_is_followed_within_a_second_or_two() -> None:
    """It skips 190 ms, after which the least unevenness would be too late."""
    arrivals = [number * 0.02 for number in range(100)]
    arrivals += [2.19 + number * 0.02 + (0.015 if number % 7 == 0 else 0.0) for number in range(500)]
    dropped = late_ones(arrivals)
    assert max(dropped) < 200


@pytest.mark.parametrize("drift", [-0.001, 0.001])
def test_a_clock_that_is_slow_or_fast_drops_nothing_in_an_hour(drift: float) -> None:
    assert late_ones([number * 0.02 * (1 + drift) for number in range(180_000)]) == []


def test_a_flood_is_cut_to_twice_what_there_can_be() -> None:
    arrivals = [number * 0.001 for number in range(10_000)]
    assert len(arrivals) - len(late_ones(arrivals)) <= 11 * 100
