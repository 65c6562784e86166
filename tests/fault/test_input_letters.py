"""What cannot be used becomes one dead letter each, also where it is larger than ours may be, and the log stays short."""

from __future__ import annotations

from collections import Counter as Counting
from typing import Any, Final

import pytest
import structlog
from prometheus_client import CollectorRegistry

from shared.bus import MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES, Headers, Record, check_size
from shared.clock import FakeClock, from_epoch
from shared.deadletter import dead_letter
from shared.errors import InvalidInput
from shared.fewlines import MOST, SPAN_S, FewLines
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_EVENTS, FLOOR_FLAGS, SWITCH_DEAD_LETTER
from tests.pumpkit import Counter, make_pump, once, running, until

WHY: Final = InvalidInput("refused", "no use")


def letter_of(value: bytes = b"x", key: bytes = b"s1", headers: Headers = ()) -> tuple[dict[str, bytes], bytes]:
    """Headers and value of the dead letter, which the bus takes."""
    found = dead_letter(Record("switch.raw", 3, 42, key, value, headers, from_epoch(0)), WHY, "ingest")
    check_size(found.topic, found.key.encode(), found.value, found.headers)
    assert sum(len(name.encode()) for name, _ in found.headers) < 8000
    return dict(found.headers), found.value


def test_the_largest_record_that_may_be_is_kept_whole() -> None:
    headers, value = letter_of(b"v" * (MAX_RECORD_BYTES - 200), headers=(("vendor", b"generic"), ("site", b"s1")))
    assert len(value) == MAX_RECORD_BYTES - 200
    assert "truncated" not in headers


@pytest.mark.parametrize(
    "record",
    [
        {"value": b"v" * 5_000_000},  # compressed it passes a broker's limit
        {"headers": (("site", b"s1"), ("note", b"n" * 2_000_000))},
        {"headers": tuple((f"h{number}", b"n" * 100) for number in range(20_000))},
        {"headers": (("长" * 400_000, b"n"),)},
        {"key": b"\xff" * 900_000, "value": b"v" * 900_000},
    ],
    ids=["value", "header", "many headers", "name of a header", "key"],
)
def test_a_larger_one_is_cut_and_says_so(record: Any) -> None:
    headers, value = letter_of(**record)
    assert headers["truncated"] == str(len(record.get("value", b"x"))).encode()
    assert {name: headers[name] for name in ("reason", "topic", "partition", "offset")} == {
        "reason": b"refused",
        "topic": b"switch.raw",
        "partition": b"3",
        "offset": b"42",
    }
    assert record.get("value", b"x").startswith(value)
    assert len(value) >= min(len(record.get("value", b"x")), MAX_DEAD_LETTER_BYTES // 2)


async def test_bad_ones_among_good_ones_are_counted_exactly_and_the_log_stays_short() -> None:
    """Each third is good. One in ten of the others is a fault of ours, with a traceback that is told a few times."""
    bus = MemoryBus()
    await bus.create([FLOOR_EVENTS, FLOOR_FLAGS, SWITCH_DEAD_LETTER])
    registry, machine = CollectorRegistry(), Counter()
    pump = make_pump(bus, machine, registry=registry)
    words = [b"a" if n % 3 == 0 else b"bug" if n % 10 == 0 else b"garbage" for n in range(6000)]
    with structlog.testing.capture_logs() as lines:
        async with running(pump):
            for word in words:
                await bus.publish(FLOOR_EVENTS, word, key="s1")
            await bus.flush()
            await until(lambda: machine.applied == 2000 and len(bus.records(SWITCH_DEAD_LETTER)) == 4000)
    assert [output.times for output in once(bus.records(FLOOR_FLAGS))] == list(range(1, 2001)), "in their order"
    letters = [dict(letter.headers) for letter in bus.records(SWITCH_DEAD_LETTER)]
    assert [int(one["offset"]) for one in letters] == [n for n, word in enumerate(words) if word != b"a"]
    assert Counting(one["reason"] for one in letters) == {b"not_json": 3600, b"internal_error": 400}
    for outcome, count in (("applied", 2000), ("invalid", 3600), ("failed", 400)):
        assert registry.get_sample_value("pump_records_total", {"pump": "counter", "outcome": outcome}) == count
    assert sum("broke" in line["event"] for line in lines) == MOST


def test_what_is_not_said_is_counted_and_told_later() -> None:
    clock = FakeClock()
    few = FewLines(clock, "more of it")
    with structlog.testing.capture_logs() as lines:
        assert sum(few.may("odd" if n % 2 else "even") for n in range(MOST + 7)) == MOST
        clock.pause(SPAN_S)
        assert few.may("odd")
    assert [(line["event"], line["reasons"]) for line in lines] == [("more of it", {"even": 4, "odd": 3})]
