"""Two pumps of one machine on the same topics, what they start from, and what a pump says of itself meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from shared.bus import part
from shared.checkpoint import Checkpoints
from shared.clock import SystemClock
from shared.dedup import Passed
from shared.memorybus import MemoryBus
from shared.pump import Pace, Pump
from shared.pumpstatus import BEHIND_S, STUCK_S, PumpStatus
from shared.topics import ALL, FLOOR_CHECKPOINTS, FLOOR_EVENTS, FLOOR_FLAGS
from tests.pumpkit import Counted, Counter, make_pump, once, running, say, until

OFTEN = Pace(checkpoint_records=1)
HERE = (FLOOR_EVENTS.name, 0)


@pytest.fixture
async def bus() -> MemoryBus:
    made = MemoryBus()
    await made.create(ALL)
    return made


@contextlib.asynccontextmanager
async def killed(pump: Pump[Any, Any]) -> AsyncIterator[None]:
    """The pump while it runs; at the end it is gone in the middle of what it does."""
    task = asyncio.create_task(pump.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_two_replicas_say_everything_and_a_reader_hears_it_once(bus: MemoryBus) -> None:
    first, second = Counter(), Counter()
    async with running(make_pump(bus, first, writer="a")):
        async with killed(make_pump(bus, second, writer="b")):
            await say(bus, *"abcabc")
            await until(lambda: first.applied == second.applied == 6)
        await say(bus, *"abc")
        await until(lambda: first.applied == 9)
        third = Counter()
        async with running(make_pump(bus, third, writer="b")):
            await until(lambda: third.applied == 9)
            await say(bus, "a")
            await until(lambda: first.applied == third.applied == 10)
        assert third.dump() == first.dump()
    records = bus.records(FLOOR_FLAGS)
    assert len(records) >= 20
    passed = Passed()
    read = []
    for record in records:
        output = msgspec.json.decode(record.value, type=Counted)
        partition, offset = map(int, output.id.split("-"))
        if not passed.seen("s1", partition, offset, 0):
            read.append((output.word, output.times))
    assert read == [(w, n) for n in (1, 2, 3) for w in "abc"] + [("a", 4)]
    assert [(output.word, output.times) for output in once(records)] == read, "by id it is the same"


async def test_a_replica_starts_from_the_newest_checkpoint_of_any(bus: MemoryBus) -> None:
    await say(bus, "a", "a", "a")
    async with running(make_pump(bus, writer="a")) as _, running(make_pump(bus, writer="b")):
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 6)
    with capture_logs() as logs:
        async with running(pump := make_pump(bus, writer="new")):
            await until(lambda: pump.status.ready)
    assert [entry["records_to_replay"] for entry in logs if entry["event"] == "pump_restored"] == [0]
    assert len({record.key for record in bus.records(FLOOR_CHECKPOINTS)}) == 2, "a and b each under a name of its own"


async def test_a_checkpoint_that_another_version_wrote_is_passed_over_for_the_one_before(bus: MemoryBus) -> None:
    machine = Counter()
    async with running(make_pump(bus, machine, writer="a")):
        await say(bus, "a", "a")
        await until(lambda: machine.applied == 2)
    await Checkpoints(bus, "counter", SystemClock(), writer="b").save(b"of a newer version", {HERE: 2})
    bus.forget_before(FLOOR_EVENTS, 0, 2)  # the log alone would not do
    restarted = Counter()
    with capture_logs() as logs:
        async with running(pump := make_pump(bus, restarted, writer="a")):
            await until(lambda: pump.status.ready)
    assert restarted.times == {"a": 2}
    (told,) = [entry for entry in logs if entry["event"] == "checkpoint_not_readable"]
    assert "trying the one before" in told["consequence"]


async def test_a_damaged_checkpoint_is_passed_over_and_told(bus: MemoryBus) -> None:
    machine = Counter()
    async with running(make_pump(bus, machine, writer="a")):
        await say(bus, "a")
        await until(lambda: machine.applied == 1)
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 1)
    await Checkpoints(bus, "counter", SystemClock(), writer="b").save(Counter().dump(), {HERE: 1})
    last = bus.records(FLOOR_CHECKPOINTS)[-1]
    await bus.publish(FLOOR_CHECKPOINTS, last.value[:-1] + b"?", key=last.key.decode(), headers=last.headers)
    await bus.flush()
    restarted = Counter()
    with capture_logs() as logs:
        async with running(pump := make_pump(bus, restarted, writer="a")):
            await until(lambda: pump.status.ready)
    assert restarted.times == {"a": 1}
    (told,) = [entry for entry in logs if entry["event"] == "checkpoint_damaged"]
    assert told["why"] == "its bytes are not those that were written"


async def test_a_save_that_was_under_way_when_the_broker_went_never_ends_in_a_checkpoint(bus: MemoryBus) -> None:
    """What it waited to be acknowledged was lost; a checkpoint that covers it would hide that for ever."""
    machine = Counter()

    def lose(outputs: list[Counted]) -> None:
        if any(output.word == "b" for output in outputs) and not lost:
            lost.append(True)
            bus.break_down()  # the pump hears of it when it publishes b, and nobody hears twice
            asyncio.get_running_loop().call_soon(bus.recover)

    lost: list[bool] = []
    pace = Pace(checkpoint_records=1, backoff_s=0.2)
    async with running(make_pump(bus, machine, on_batch=lose, pace=pace)):
        bus.stall(FLOOR_FLAGS)
        await bus.publish(FLOOR_EVENTS, b"a", key="s1")
        await until(lambda: machine.applied == 1 and bus.flushes_waiting == 1)
        await bus.publish(FLOOR_EVENTS, b"b", key="s1")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) >= 1 and bool(bus.records(FLOOR_CHECKPOINTS)))
    assert [output.word for output in once(bus.records(FLOOR_FLAGS))] == ["a", "b"]


async def test_each_life_of_a_topic_has_a_number_that_outlives_the_process(bus: MemoryBus) -> None:
    async with running(pump := make_pump(bus)):
        await say(bus, "a", "a", "a")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 3)
        assert pump.life_of(*HERE) == 0
    kept = bus.records(FLOOR_CHECKPOINTS)
    for life in (1, 2):
        bus.forget_everything()
        await bus.create(ALL)
        for record in kept:
            await bus.publish(FLOOR_CHECKPOINTS, record.value, key=record.key.decode(), headers=record.headers)
        await say(bus, *"bb"[:life])  # fewer than before: the offset of the checkpoint is beyond the end
        machine = Counter()
        async with killed(pump := make_pump(bus, machine)):
            await until(lambda machine=machine, life=life: machine.applied == life)  # type: ignore[misc]
            assert pump.life_of(*HERE) == 1, "the same from the same checkpoint, however often"
    async with running(pump := make_pump(bus)):
        await until(lambda: len(bus.records(FLOOR_CHECKPOINTS)) > len(kept))
    await say(bus, *"bbbb")
    async with running(pump := make_pump(bus)):
        await until(lambda: pump.status.ready)
        assert pump.life_of(*HERE) == 1, "it is in the checkpoint; the offsets would no longer tell"


def test_live_is_not_yet_present() -> None:
    status = PumpStatus("monitor", state="live", turned=100.0)
    assert status.trouble(100.5) is None
    assert status.trouble(100 + STUCK_S + 2) == (
        "monitor: nothing was read for 7 s: the broker does not answer, or this process was paused"
    )
    status.behind_s, status.lag = BEHIND_S + 40, 70_000
    assert status.trouble(100.5) == "monitor: 43 s behind, 70000 records left; it catches up by itself"
    status.state = "replaying"
    assert status.trouble(100.5) == ("monitor: replaying what happened since its checkpoint, 70000 records left")


async def test_what_the_broker_does_not_take_is_trouble_too(bus: MemoryBus, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(pump := make_pump(bus)):
        await until(lambda: pump.status.ready)
        assert pump.trouble() is None
        monkeypatch.setattr(bus, "unsent_s", lambda: 12.3)
        assert pump.trouble() == "counter: what it made waits to be written for 12 s; the broker takes nothing"


async def test_a_send_that_failed_is_noticed_also_when_nothing_more_is_published(bus: MemoryBus) -> None:
    registry = CollectorRegistry()
    machine = Counter()
    async with running(pump := make_pump(bus, machine, registry=registry, pace=Pace(backoff_s=0.001))):
        await until(lambda: pump.status.ready)
        bus.stall(FLOOR_FLAGS)
        await bus.publish(FLOOR_EVENTS, b"a", key="s1")
        await until(lambda: machine.applied == 1)
        await until(lambda: bus.unsent_s() > 0)
        bus.break_down()
        bus.recover()  # at once: no reader noticed
        assert bus.unsent_s() == float("inf")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 1)
    assert registry.get_sample_value("pump_broker_losses_total", {"pump": "counter"}) == 1


async def test_how_long_it_stands_still_is_a_figure(bus: MemoryBus) -> None:
    registry = CollectorRegistry()
    async with running(pump := make_pump(bus, registry=registry)):
        await until(lambda: pump.status.ready)
        pump.status.turned -= 100
        assert registry.get_sample_value("pump_since_turn_seconds", {"pump": "counter"}) >= 100  # type: ignore[operator]


async def test_a_process_that_ends_without_its_broker_ends_well(bus: MemoryBus) -> None:
    """Its supervisor asked for it; what was not written is not covered by a checkpoint either."""
    await bus.publish(FLOOR_FLAGS, b"x", key="s1")
    bus.break_down()
    with capture_logs() as logs:
        await part(bus)
    assert [entry["log_level"] for entry in logs] == ["warning"]
