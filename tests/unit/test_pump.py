from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from shared.bus import Record
from shared.checkpoint import Checkpoints
from shared.clock import FakeClock, SystemClock
from shared.errors import BusError, InvalidInput
from shared.memorybus import MemoryBus, MemoryReader
from shared.pump import Pace
from shared.topics import ALL, FLOOR_CHECKPOINTS, FLOOR_EVENTS, FLOOR_FLAGS, SWITCH_DEAD_LETTER
from tests.pumpkit import Counted, Counter, make_pump, once, running, say, until

FAST = Pace(backoff_s=0.001, backoff_max_s=0.01)


@pytest.fixture
async def bus() -> MemoryBus:
    made = MemoryBus()
    await made.create(ALL)
    return made


async def test_outputs_are_published_in_order_and_handed_to_the_hook_first(bus: MemoryBus) -> None:
    batches: list[list[Counted]] = []
    pump = make_pump(bus, on_batch=batches.append)
    async with running(pump):
        await say(bus, "a", "quiet", "a", "b")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 3)
        handed = [output for batch in batches for output in batch]
        assert [(output.word, output.times) for output in handed] == [("a", 1), ("quiet", 1), ("a", 2), ("b", 1)]
        assert once(bus.records(FLOOR_FLAGS)) == [output for output in handed if output.word != "quiet"]


async def test_a_restart_goes_on_where_the_checkpoint_ended(bus: MemoryBus) -> None:
    async with running(make_pump(bus)):
        await say(bus, "a", "a")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 2)
    machine = Counter()
    pump = make_pump(bus, machine)
    async with running(pump):
        await until(lambda: pump.status.ready)
        assert machine.times == {"a": 2}
        await say(bus, "a")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 3)
    assert [output.times for output in once(bus.records(FLOOR_FLAGS))] == [1, 2, 3]
    assert len(bus.records(FLOOR_FLAGS)) == 3, "a clean stop leaves nothing to replay"


async def test_a_kill_replays_the_tail_with_the_same_ids(bus: MemoryBus) -> None:
    pump = make_pump(bus, pace=Pace(checkpoint_records=2))
    task = asyncio.create_task(pump.run())
    await say(bus, "a", "a")
    await until(lambda: len(bus.records(FLOOR_CHECKPOINTS)) == 1)
    await say(bus, "a")
    await until(lambda: len(bus.records(FLOOR_FLAGS)) == 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with running(make_pump(bus)):
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 4)
    assert [output.times for output in once(bus.records(FLOOR_FLAGS))] == [1, 2, 3]


async def test_a_dead_letter_keeps_bytes_and_position(bus: MemoryBus) -> None:
    registry = CollectorRegistry()
    told: list[tuple[Record, InvalidInput]] = []
    machine = Counter()
    pump = make_pump(bus, machine, registry=registry, on_invalid=lambda *both: told.append(both))
    async with running(pump):
        await say(bus, "a", "garbage", "no", "bug", "a")
        await until(lambda: len(bus.records(SWITCH_DEAD_LETTER)) == 3 and machine.applied == 2)
    garbage, refused, bug = bus.records(SWITCH_DEAD_LETTER)
    assert (garbage.value, garbage.key) == (b"garbage", b"s1")
    assert dict(garbage.headers) == {
        "reason": b"not_json",
        "message": b"it is garbage",
        "pump": b"counter",
        "topic": b"floor.events",
        "partition": b"0",
        "offset": b"1",
        "original-vendor": b"test",
    }
    assert dict(refused.headers)["reason"] == b"refused"
    assert dict(bug.headers)["reason"] == b"internal_error"
    assert dict(bug.headers)["message"] == b"ZeroDivisionError: in the decoder"
    assert [why.reason for _, why in told] == ["not_json", "refused", "internal_error"]
    assert registry.get_sample_value("pump_records_total", {"pump": "counter", "outcome": "invalid"}) == 2
    assert registry.get_sample_value("pump_records_total", {"pump": "counter", "outcome": "failed"}) == 1
    assert registry.get_sample_value("pump_records_total", {"pump": "counter", "outcome": "applied"}) == 2
    assert registry.get_sample_value("pump_restores_total", {"pump": "counter"}) == 1, "the machine was not touched"


async def test_a_record_that_breaks_the_machine_leaves_no_trace_in_it(bus: MemoryBus) -> None:
    machine = Counter()
    restored: list[dict[str, int]] = []
    pump = make_pump(bus, machine, on_restored=lambda: restored.append(dict(machine.times)))
    async with running(pump):
        await say(bus, "a", "garbage", "boom", "a", "boom", "b")
        await until(lambda: machine.times.get("b") == 1 and pump.status.ready)
        assert machine.times == {"a": 2, "b": 1}
        assert len(restored) == 3, "once at the start, once for each broken record"
    letters = bus.records(SWITCH_DEAD_LETTER)
    assert [record.value for record in letters] == [b"garbage", b"boom", b"boom"], "each once"
    assert [dict(record.headers)["offset"] for record in letters] == [b"1", b"2", b"4"]
    assert dict(letters[1].headers)["message"] == b"RuntimeError: half applied"
    assert [(output.word, output.times) for output in once(bus.records(FLOOR_FLAGS))] == [("a", 1), ("a", 2), ("b", 1)]


async def test_a_broken_record_does_not_come_back_after_a_restart(bus: MemoryBus) -> None:
    async with running(make_pump(bus)) as _:
        await say(bus, "a", "boom", "a")
        await until(lambda: len(once(bus.records(FLOOR_FLAGS))) == 2)
    machine = Counter()
    pump = make_pump(bus, machine)
    async with running(pump):
        await until(lambda: pump.status.ready)
    assert machine.times == {"a": 2}
    assert len(bus.records(SWITCH_DEAD_LETTER)) == 1


async def test_an_output_that_is_too_large_is_counted_and_does_not_stop_the_pump(bus: MemoryBus) -> None:
    registry = CollectorRegistry()
    pump = make_pump(bus, registry=registry)
    async with running(pump):
        await say(bus, "x" * 990_000, "a")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 2)
        await say(bus, "y" * 999_980, "b")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 3)
    assert once(bus.records(FLOOR_FLAGS))[-1].word == "b"
    assert registry.get_sample_value("pump_outputs_total", {"pump": "counter", "outcome": "too_large"}) == 1


async def test_a_lost_broker_is_waited_for_and_nothing_is_lost_or_doubled(bus: MemoryBus) -> None:
    registry = CollectorRegistry()
    machine = Counter()
    pump = make_pump(bus, machine, registry=registry, pace=FAST)
    async with running(pump):
        await say(bus, "a", "a")
        await until(lambda: machine.applied == 2 and pump.status.ready)
        bus.break_down("connection refused")
        await until(lambda: pump.status.state == "waiting_for_broker")
        assert not pump.status.ready
        assert "connection refused" in pump.status.explain()
        assert registry.get_sample_value("pump_ready", {"pump": "counter"}) == 0
        bus.recover()
        await until(lambda: pump.status.ready)
        await say(bus, "a")
        await until(lambda: machine.times == {"a": 3})
    assert [output.times for output in once(bus.records(FLOOR_FLAGS))] == [1, 2, 3]
    assert registry.get_sample_value("pump_broker_losses_total", {"pump": "counter"}) == 1


async def test_outputs_that_were_not_acknowledged_are_sent_again(bus: MemoryBus) -> None:
    """The broker goes between the outputs and their acknowledgement: no checkpoint may cover them."""
    broken: list[bool] = []

    def break_once(outputs: list[Counted]) -> None:
        if any(output.word == "b" for output in outputs) and not broken:
            broken.append(True)
            asyncio.get_running_loop().call_soon(bus.break_down)

    pump = make_pump(bus, on_batch=break_once, pace=FAST)
    async with running(pump):
        await say(bus, "a", "garbage", "b")
        await until(lambda: pump.status.state == "waiting_for_broker")
        bus.recover()
        await until(lambda: pump.status.ready)
        await until(lambda: len(once(bus.records(FLOOR_FLAGS))) == 2)
    assert [output.word for output in once(bus.records(FLOOR_FLAGS))] == ["a", "b"]
    assert b"garbage" in [record.value for record in bus.records(SWITCH_DEAD_LETTER)]


async def test_what_was_on_its_way_when_the_broker_went_is_no_second_loss(bus: MemoryBus) -> None:
    """The reader hears of it first; that the outputs failed, too, was told of the broker that came back empty."""
    registry = CollectorRegistry()
    pump = make_pump(bus, machine := Counter(), registry=registry, pace=FAST)
    async with running(pump):
        await until(lambda: pump.status.ready)
        bus.stall(FLOOR_FLAGS)
        await bus.publish(FLOOR_EVENTS, b"a", key="s1")
        await until(lambda: machine.applied == 1 and bus.unsent_s() > 0)
        bus.break_down()
        await until(lambda: pump.status.state == "waiting_for_broker")
        bus.forget_everything()
        bus.recover()
        await until(lambda: pump.status.ready)
        await say(bus, "b")
        await until(lambda: [output.word for output in once(bus.records(FLOOR_FLAGS))] == ["b"])
        assert machine.times == {"b": 1}
    assert registry.get_sample_value("pump_broker_losses_total", {"pump": "counter"}) == 1


async def test_no_checkpoint_covers_input_whose_outputs_were_not_acknowledged(bus: MemoryBus) -> None:
    machine = Counter()
    task = asyncio.create_task(make_pump(bus, machine, pace=Pace(checkpoint_records=1)).run())
    bus.stall(FLOOR_FLAGS)
    await bus.publish(FLOOR_EVENTS, b"a", key="s1")
    await until(lambda: machine.applied == 1 and bus.flushes_waiting == 1)
    bus.break_down()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bus.recover()
    with contextlib.suppress(BusError):
        await bus.flush()  # the next process has a connection of its own, which knows nothing of this
    async with running(make_pump(bus)):
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 1)


async def test_a_broker_that_forgot_everything_is_started_anew(bus: MemoryBus) -> None:
    registry = CollectorRegistry()
    machine = Counter()
    pump = make_pump(bus, machine, registry=registry, pace=Pace(checkpoint_records=1, backoff_s=0.001))
    async with running(pump):
        await say(bus, "a", "a", "a")
        await until(lambda: machine.applied == 3 and len(bus.records(FLOOR_CHECKPOINTS)) > 0)
        bus.break_down()
        await until(lambda: pump.status.state == "waiting_for_broker")
        bus.forget_everything()
        bus.recover()
        await until(lambda: pump.status.ready)
        assert machine.times == {}
        await say(bus, "b")
        await until(lambda: machine.times == {"b": 1})
    assert registry.get_sample_value("pump_offsets_lost_total", {"pump": "counter", "why": "made_anew"}) == 1


async def test_a_topic_made_anew_under_a_checkpoint_starts_with_an_empty_state(bus: MemoryBus) -> None:
    await Checkpoints(bus, "counter", SystemClock()).save(
        Counter().dump().replace(b"0", b"7"), {("floor.events", 0): 500}
    )
    await say(bus, "a")
    machine = Counter()
    registry = CollectorRegistry()
    pump = make_pump(bus, machine, registry=registry)
    async with running(pump):
        await until(lambda: pump.status.ready)
    assert (machine.times, machine.applied) == ({"a": 1}, 1)
    assert registry.get_sample_value("pump_offsets_lost_total", {"pump": "counter", "why": "made_anew"}) == 1


async def test_records_that_were_not_kept_are_counted_and_the_state_goes_on(bus: MemoryBus) -> None:
    async with running(make_pump(bus)):
        await say(bus, "a", "a")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 2)
    await say(bus, "a", "b")
    bus.forget_before(FLOOR_EVENTS, 0, 3)
    machine = Counter()
    registry = CollectorRegistry()
    pump = make_pump(bus, machine, registry=registry)
    async with running(pump):
        await until(lambda: pump.status.ready)
    assert machine.times == {"a": 2, "b": 1}, "one a is gone, and nobody pretends otherwise"
    assert registry.get_sample_value("pump_offsets_lost_total", {"pump": "counter", "why": "not_kept"}) == 1


async def test_retention_that_overtakes_a_running_pump_is_survived(bus: MemoryBus) -> None:
    machine = Counter()
    pump = make_pump(bus, machine, pace=FAST)
    async with running(pump):
        await until(lambda: pump.status.ready)
        for word in "aab":
            await bus.publish(FLOOR_EVENTS, word.encode(), key="s1")
        bus.forget_before(FLOOR_EVENTS, 0, 2)  # before the pump had its turn
        await until(lambda: machine.times == {"b": 1} and pump.status.ready)


async def test_a_checkpoint_of_another_version_is_replaced_by_a_replay(bus: MemoryBus) -> None:
    await Checkpoints(bus, "counter", SystemClock()).save(b"not what the machine dumps", {("floor.events", 0): 1})
    await say(bus, "a", "a")
    machine = Counter()
    pump = make_pump(bus, machine)
    async with running(pump):
        await until(lambda: pump.status.ready)
    assert machine.times == {"a": 2}


async def test_time_passes_by_the_clock_only_when_it_is_live(bus: MemoryBus) -> None:
    clock = FakeClock()
    bus = MemoryBus(clock)
    await bus.create(ALL)
    machine = Counter()
    machine.alarm = clock.now() + timedelta(seconds=30)
    pump = make_pump(bus, machine, wall_clock=True, clock=clock)
    async with running(pump):
        await until(lambda: pump.status.ready)
        await clock.advance(29.9)
        assert bus.records(FLOOR_FLAGS) == []
        await clock.advance(0.2)
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 1)
        assert once(bus.records(FLOOR_FLAGS))[0].id == "alarm-1970-01-01T00:00:30+00:00"


async def test_a_reader_that_gets_nothing_of_what_is_there_is_behind_since_something_last_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock()
    bus = MemoryBus(clock)
    await bus.create(ALL)
    pump = make_pump(bus, clock=clock)
    async with running(pump):
        await until(lambda: pump.status.ready)
        with monkeypatch.context() as deaf:
            deaf.setattr(MemoryReader, "_take", lambda *_: [])
            await say(bus, "a")
            for _ in range(10):
                await clock.advance(1.0)
            assert pump.status.behind_s > 8
            assert "behind" in (pump.trouble() or "")
        for _ in range(3):
            await clock.advance(1.0)
        await until(lambda: pump.trouble() is None)


async def test_the_machine_does_not_hold_the_loop(bus: MemoryBus) -> None:
    """A batch that takes long is cut, and others run between the pieces."""
    clock = FakeClock()

    class Slow(Counter):
        def apply(self, event):  # type: ignore[no-untyped-def]
            clock._elapsed += 0.0005  # each record takes half a millisecond
            yield from super().apply(event)

    turns: list[int] = []
    machine = Slow()
    pump = make_pump(bus, machine, clock=clock, on_batch=lambda outputs: turns.append(len(outputs)))
    await say(bus, *["a"] * 1000)
    async with running(pump):
        await until(lambda: machine.applied == 1000)
    assert sum(turns) == 1000
    assert max(turns) <= 64, "no stretch is much longer than 10 ms"


async def test_what_a_hook_raises_ends_the_pump(bus: MemoryBus) -> None:
    def fail(_: list[Counted]) -> None:
        raise KeyError("the feed")

    pump = make_pump(bus, on_batch=fail)
    await say(bus, "a")
    with pytest.raises(KeyError, match="the feed"):
        await pump.run()
    assert pump.status.state == "stopped"
    assert not pump.status.ready


async def test_two_pumps_of_a_process_share_a_registry(bus: MemoryBus) -> None:
    registry = CollectorRegistry()
    make_pump(bus, registry=registry)
    make_pump(bus, registry=registry)
    assert registry.get_sample_value("pump_records_total", {"pump": "counter", "outcome": "invalid"}) == 0


async def test_partitions_of_its_own_have_checkpoints_of_their_own() -> None:
    bus = MemoryBus()
    await bus.create(ALL, partitions=2)
    async with running(make_pump(bus, partitions=[0])), running(make_pump(bus, partitions=[1])):
        for number in range(8):
            await say(bus, "a", key=f"s{number}")
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 8)
    names = {record.key.decode().split("/")[0] for record in bus.records(FLOOR_CHECKPOINTS)}
    assert {record.partition for record in bus.records(FLOOR_EVENTS)} == {0, 1}
    assert names == {"counter[0]", "counter[1]"}


@pytest.mark.parametrize(("comes", "present"), [(50, True), (120, False)])
async def test_live_means_the_present_where_it_can_be_reached(comes: int, present: bool) -> None:
    """While the tail is replayed more comes: that is replayed too, unless as much comes as is worked."""
    written, clock = FakeClock(), FakeClock()
    clock.pause(60)  # whatever is read is a minute old
    bus = MemoryBus(written)
    await bus.create(ALL)
    coming = [b"word"] * 2500

    def more(_: object) -> None:
        for word in coming[:comes]:
            asyncio.get_running_loop().create_task(bus.publish(FLOOR_EVENTS, word, key="s1"))
        del coming[:comes]

    await say(bus, *["word"] * 1000)
    machine = Counter()
    pump = make_pump(bus, machine, clock=clock, pace=Pace(batch_records=100), on_batch=more)
    async with running(pump):
        await until(lambda: pump.status.ready)
        assert (pump.status.lag == 0) is present
        assert (machine.applied > 1000) is present
        coming.clear()
