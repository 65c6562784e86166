from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from shared.bus import Bus, Record
from shared.checkpoint import Checkpoints
from shared.clock import SystemClock
from shared.kafka import KafkaBus
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_CHECKPOINTS

HERE = ("floor.events", 0)
BIG = os.urandom(3_000_000)  # does not compress: four records


@pytest.fixture(params=["memory", "embedded"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    made: Bus
    made = MemoryBus() if request.param == "memory" else KafkaBus(request.getfixturevalue("kafka_bootstrap"))
    await made.create([FLOOR_CHECKPOINTS])
    yield made
    await made.close()


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> str:
    """A name of its own for each test, the broker is shared."""
    return request.node.name


def checkpoints(bus: Bus, machine: str, writer: str = "0") -> Checkpoints:
    return Checkpoints(bus, machine, SystemClock(), writer=writer)


async def write_again(bus: Bus, records: list[Record]) -> None:
    for record in records:
        await bus.publish(FLOOR_CHECKPOINTS, record.value, key=record.key.decode(), headers=record.headers)
    await bus.flush()


def of(memory: MemoryBus, machine: str) -> list[Record]:
    return [record for record in memory.records(FLOOR_CHECKPOINTS) if record.key.decode().startswith(machine + "/")]


async def test_none_was_saved(bus: Bus, machine: str) -> None:
    assert await checkpoints(bus, machine).load() is None


async def test_the_newest_is_loaded(bus: Bus, machine: str) -> None:
    saving = checkpoints(bus, machine)
    for number in range(3):
        await saving.save(b"state %d" % number, {HERE: number, ("floor.events", 1): 7})
    loaded = await checkpoints(bus, machine).load()
    assert loaded is not None
    assert (loaded.state, loaded.offsets) == (b"state 2", {HERE: 2, ("floor.events", 1): 7})
    assert loaded.generation == 3


async def test_a_state_larger_than_a_record(bus: Bus, machine: str) -> None:
    size = await checkpoints(bus, machine).save(BIG, {HERE: 5})
    loaded = await checkpoints(bus, machine).load()
    assert loaded is not None
    assert loaded.state == BIG
    assert size > len(BIG) * 0.9


async def test_machines_do_not_mix(bus: Bus, machine: str) -> None:
    await checkpoints(bus, machine).save(b"mine", {HERE: 1})
    await checkpoints(bus, machine + "-other").save(b"theirs", {HERE: 2})
    loaded = await checkpoints(bus, machine).load()
    assert loaded is not None
    assert loaded.state == b"mine"


async def test_one_that_lies_far_back_is_found(bus: Bus, machine: str) -> None:
    await checkpoints(bus, machine).save(b"old", {HERE: 1})
    other = checkpoints(bus, machine + "-busy")
    for number in range(100):
        await other.save(b"%d" % number, {HERE: number})
    loaded = await checkpoints(bus, machine).load()
    assert loaded is not None
    assert loaded.state == b"old"


async def torn(kept: slice) -> tuple[MemoryBus, list[Record]]:
    """A bus with one complete checkpoint of one byte, then with some parts of a large one."""
    source, target = MemoryBus(), MemoryBus()
    for bus in (source, target):
        await bus.create([FLOOR_CHECKPOINTS])
    saving = checkpoints(source, "m")
    await saving.save(b"1", {HERE: 1})
    await saving.save(BIG, {HERE: 2})
    first, *large = source.records(FLOOR_CHECKPOINTS)
    assert len(large) == 4
    await write_again(target, [first, *large[kept]])
    return target, large


@pytest.mark.parametrize("kept", [slice(0, 1), slice(0, 3), slice(1, 4)])
async def test_a_torn_write_leaves_the_one_before(kept: slice) -> None:
    bus, _ = await torn(kept)
    loaded = await checkpoints(bus, "m").load()
    assert loaded is not None
    assert (loaded.state, loaded.offsets) == (b"1", {HERE: 1})


async def test_a_damaged_part_leaves_the_one_before() -> None:
    bus, large = await torn(slice(0, 3))
    damaged = large[3]
    await bus.publish(FLOOR_CHECKPOINTS, damaged.value[:-1] + b"?", key=damaged.key.decode(), headers=damaged.headers)
    await bus.flush()
    loaded = await checkpoints(bus, "m").load()
    assert loaded is not None
    assert loaded.state == b"1"


async def test_a_foreign_record_is_passed_over() -> None:
    bus, _ = await torn(slice(0, 4))
    await bus.publish(FLOOR_CHECKPOINTS, b"what is this", key="m/0/0/0")
    await bus.publish(FLOOR_CHECKPOINTS, b"", key="m/0/0/0", headers=(("part", b"{"),))
    await bus.flush()
    loaded = await checkpoints(bus, "m").load()
    assert loaded is not None
    assert loaded.state == BIG


async def test_compaction_never_takes_the_last_complete_one() -> None:
    """Of each key the last record is kept. The last save is torn at every possible place."""
    source = MemoryBus()
    await source.create([FLOOR_CHECKPOINTS])
    saving = checkpoints(source, "m")
    for number in range(4):
        await saving.save(BIG[number:], {HERE: number})
    records = source.records(FLOOR_CHECKPOINTS)
    for missing in range(1, 5):
        written = records[: len(records) - missing]
        compacted = {record.key: record for record in written}.values()
        target = MemoryBus()
        await target.create([FLOOR_CHECKPOINTS])
        await write_again(target, [record for record in written if record in compacted])
        loaded = await checkpoints(target, "m").load()
        assert loaded is not None
        assert loaded.offsets == {HERE: 2}
        again = checkpoints(target, "m")  # a restart after the torn write must not write over what it loaded
        await again.load()
        await again.save(BIG, {HERE: 9})
        half = target.records(FLOOR_CHECKPOINTS)[:-1]
        keys = {record.key for record in half[-3:]}
        assert not keys & {record.key for record in written if b'"generation":3' in dict(record.headers)["part"]}


async def test_replicas_write_beside_each_other_and_load_whichever_is_last() -> None:
    bus = MemoryBus()
    await bus.create([FLOOR_CHECKPOINTS], partitions=3)
    first, second = checkpoints(bus, "m", "a"), checkpoints(bus, "m", "b")
    await first.save(b"1", {HERE: 1})
    await second.save(b"2", {HERE: 2})
    for replica in ("a", "b", "c"):
        loaded = await checkpoints(bus, "m", replica).load()
        assert loaded is not None
        assert loaded.state == b"2"
    assert len({record.key for record in of(bus, "m")}) == 2
