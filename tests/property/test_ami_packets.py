"""AMI cut into packets: the same ones however the stream was chunked, no byte lost, and garbage bounded."""

from __future__ import annotations

import gzip
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.ingest.connectors.asterisk.ami import (
    MAX_GREETING_BYTES,
    MAX_PACKET_BYTES,
    Splitter,
    action,
    answer_to,
    headers_of,
)
from tests.amikit import RAW, recorded
from tests.recordedasterisk import packets

GREETING = b"Asterisk Call Manager/13.0.0\r\n"
LINE = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=1, max_size=20).map(str.encode)
PACKET = st.tuples(
    st.sampled_from([b"", b"\r\n", b"\n", b"\r\n\r\n"]),  # empty lines more than there should be
    st.lists(LINE, min_size=1, max_size=4),
    st.sampled_from([b"\r\n", b"\n"]),
).map(lambda parts: parts[0] + b"".join(line + parts[2] for line in parts[1]) + parts[2])


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[a:b] for a, b in pairwise(edges)]


def fed(chunks: list[bytes]) -> tuple[list[bytes], Splitter]:
    splitter = Splitter()
    return [packet for chunk in chunks for packet in splitter.feed(chunk)], splitter


@given(st.lists(PACKET, max_size=6), st.lists(st.integers(0, 400), max_size=12), st.binary(max_size=5))
@example([b"\r\nA: 1\r\n\r\n", b"\nB: 2\n\n"], list(range(40)), b"\r\n\r")
def test_the_chunks_do_not_matter(sent: list[bytes], places: list[int], tail: bytes) -> None:
    stream = GREETING + b"".join(sent) + tail
    whole, one = fed([stream])
    parts, other = fed(cut(stream, places))
    assert parts == whole
    assert one.rest == other.rest
    assert b"".join(whole) + one.rest == stream, "every byte is in a packet or waits for the rest of one"


@settings(max_examples=25)
@given(st.lists(st.integers(0, 40_000), max_size=200))
def test_the_recording_is_cut_into_the_packets_that_were_recorded(places: list[int]) -> None:
    stream = gzip.decompress(RAW.read_bytes())[:40_000]
    found, splitter = fed(cut(stream, places))
    assert found == [recorded()[0], *recorded()[1][: len(found) - 1]]
    assert b"".join(found) + splitter.rest == stream


def test_each_recorded_packet_reads_as_it_was_recorded() -> None:
    for raw, (_, headers) in zip(recorded()[1], packets(), strict=True):
        read = headers_of(raw)
        assert all(read[name] == (value[-1] if isinstance(value, list) else value) for name, value in headers.items())


@given(st.binary(min_size=1, max_size=2000), st.lists(st.integers(0, 2000), max_size=8))
def test_what_does_not_greet_is_no_switch(noise: bytes, places: list[int]) -> None:
    found, splitter = fed(cut(noise, places))
    assert b"".join(found) + splitter.rest == noise or splitter.broken
    if not GREETING.startswith(noise[: len(GREETING)]) and not noise.startswith(GREETING[:22]):
        assert splitter.broken
        assert splitter.feed(b"x" * 100) == []


@settings(max_examples=20)
@given(st.integers(500, 70_000))
def test_a_packet_without_an_end_is_given_up(step: int) -> None:
    splitter = Splitter()
    kept = [GREETING, b"Event: A\r\n\r\n"]
    found = splitter.feed(b"".join(kept))
    line = b"x" * step
    for _ in range(MAX_PACKET_BYTES // step + 2):
        found += splitter.feed(line)
        assert len(splitter.rest) <= MAX_PACKET_BYTES + step
    assert found == kept, "what came before is not lost"
    assert "more than" in splitter.broken
    assert fed([b"y" * (MAX_GREETING_BYTES + 1)])[1].broken


def test_a_packet_too_large_is_given_up_also_when_it_comes_at_once() -> None:
    good, large = b"Event: A\r\n\r\n", b"Event: " + b"x" * MAX_PACKET_BYTES + b"\r\n\r\n"
    found, splitter = fed([GREETING + good + large + good])
    assert found == [GREETING, good]
    assert splitter.broken


@given(st.text(max_size=30))
def test_no_value_can_begin_another_header(value: str) -> None:
    try:
        written = action("QueuePause", "id-1", {"Reason": value})
    except ValueError:
        assert any(ord(letter) < 32 or ord(letter) == 127 for letter in value)
        return
    assert written.count(b"\r\n") == 4
    assert headers_of(written.rstrip())["Reason"] == value.strip(" ")


def test_the_digest_is_the_one_that_the_switch_makes() -> None:
    """MD5 over the challenge and the secret behind it: `authenticate` in Asterisk's main/manager.c."""
    assert answer_to("840415273", "geheim") == "ab6ef1a4129ccdd89d3b61212e7c7c48"
