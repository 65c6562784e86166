"""Whatever interrupts a pump, its machine and its readers end up as if nothing had."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from shared.dedup import Passed
from shared.memorybus import MemoryBus
from shared.pump import Pace
from shared.topics import ALL, FLOOR_FLAGS, SWITCH_DEAD_LETTER
from tests.pumpkit import Counted, Counter, make_pump, say, until

WORDS = st.lists(st.sampled_from(["a", "b", "quiet", "no", "garbage", "bug", "boom"]), max_size=30)
UNUSABLE = {"no", "garbage", "bug", "boom"}
INTERRUPTIONS = st.sampled_from(["stop", "kill", "kill at once", "outage", "none"])


def uninterrupted(words: list[str]) -> tuple[dict[str, int], list[tuple[str, int]]]:
    times: dict[str, int] = {}
    said = []
    for word in words:
        if word not in UNUSABLE:
            times[word] = times.get(word, 0) + 1
            if word != "quiet":
                said.append((word, times[word]))
    return times, said


def as_read(bus: MemoryBus) -> list[tuple[str, int]]:
    """The outputs that a reader takes which drops positions that it has passed."""
    passed = Passed()
    found = []
    for record in bus.records(FLOOR_FLAGS):
        output = msgspec.json.decode(record.value, type=Counted)
        partition, offset = output.id.split("-")
        if not passed.seen("s1", int(partition), int(offset), 0):
            found.append((output.word, output.times))
    return found


async def live_through(parts: list[tuple[list[str], str]], checkpoint_records: int) -> tuple[Counter, MemoryBus]:
    bus = MemoryBus()
    await bus.create(ALL)
    pace = Pace(checkpoint_records=checkpoint_records, batch_records=5, backoff_s=0.0001, backoff_max_s=0.001)
    machine, task = Counter(), None
    total = 0
    for words, interruption in [*parts, ([], "none")]:
        if task is None:
            machine = Counter()
            pump = make_pump(bus, machine, pace=pace)
            task = asyncio.create_task(pump.run())
        await say(bus, *words)
        total += len(words)
        if interruption != "kill at once":
            await until(
                lambda pump=pump, total=total: pump.status.ready and pump._next.get(("floor.events", 0)) == total
            )
        if interruption == "stop":
            pump.stop()
            await task
            task = None
        elif interruption.startswith("kill"):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            task = None
        elif interruption == "outage":
            bus.break_down()
            await until(lambda pump=pump: pump.status.state == "waiting_for_broker")
            bus.recover()
            await until(
                lambda pump=pump, total=total: pump.status.ready and pump._next.get(("floor.events", 0)) == total
            )
    assert task is not None
    pump.stop()
    await task
    return machine, bus


@settings(max_examples=40)
@given(st.lists(st.tuples(WORDS, INTERRUPTIONS), max_size=5), st.integers(1, 12))
def test_interruptions_change_nothing(parts: list[tuple[list[str], str]], checkpoint_records: int) -> None:
    words = [word for part, _ in parts for word in part]
    with capture_logs():
        machine, bus = asyncio.run(live_through(parts, checkpoint_records))
    times, said = uninterrupted(words)
    assert machine.times == times
    assert as_read(bus) == said
    letters = {(dict(record.headers)["offset"], record.value) for record in bus.records(SWITCH_DEAD_LETTER)}
    assert letters == {(str(at).encode(), word.encode()) for at, word in enumerate(words) if word in UNUSABLE}


PLACES = st.tuples(st.sampled_from(["s1", "s2"]), st.integers(0, 2), st.integers(0, 20), st.integers(0, 3))


@given(st.lists(PLACES, max_size=60), st.integers(0, 60))
def test_a_position_passes_once_and_only_forward(positions: list[tuple[str, int, int, int]], cut: int) -> None:
    passed = Passed()
    top: dict[tuple[str, int], tuple[int, int]] = {}
    for number, (site, partition, offset, index) in enumerate(positions):
        if number == cut:
            state = passed.dump()
            passed = Passed()
            passed.load(state)
        new = (offset, index) > top.get((site, partition), (-1, -1))
        assert passed.seen(site, partition, offset, index) is not new
        if new:
            top[site, partition] = (offset, index)
    assert len(passed.dump()) == len(top), "one position for each site and partition, however many were passed"


def test_what_has_no_position_is_never_a_duplicate() -> None:
    passed = Passed()
    assert not passed.seen("s1", -1, -1, 0)
    assert not passed.seen("s1", -1, -1, 0)
    assert passed.dump() == []
