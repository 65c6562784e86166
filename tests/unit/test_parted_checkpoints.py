"""Checkpoints written part by part: what is in one, what it waits for, when it is given up, what a restart leaves out."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from services.monitor import app
from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from shared import events, saving
from shared.bus import Headers, Partition
from shared.checkpoint import Checkpoint, Checkpoints, PackedPart, packed
from shared.clock import Clock, FakeClock, SystemClock
from shared.codec import encode
from shared.events import Event
from shared.machine import Machine, PartedMachine
from shared.memorybus import MemoryBus
from shared.pump import Pace, Pump
from shared.pumpstatus import PumpMetrics, PumpStatus
from shared.saving import Saver
from shared.topics import ALL, FLOOR_CHECKPOINTS, FLOOR_EVENTS, FLOOR_FLAGS, SWITCH_DEAD_LETTER, Topic
from tests.floorkit import CONFIG, RULES, event
from tests.partkit import Tallies, by_part, tallies_pump
from tests.pumpkit import Counter, Said, make_pump, once, running, until
from tests.waiting import PATIENCE_S

HERE = (FLOOR_EVENTS.name, 0)
THERE = (FLOOR_EVENTS.name, 1)
ONE_A_TURN = Pace(checkpoint_records=1, parts_s=0.0, parts_share=1.0)


@pytest.fixture
async def bus() -> MemoryBus:
    made = MemoryBus()
    await made.create(ALL)
    return made


WORDS = ("hq:a", "d:a", "hq:garbage", "d:b", "hq:b", "d:c")  # offsets 0 to 5


async def spoken(bus: MemoryBus, words: tuple[str, ...] = WORDS) -> None:
    for word in words:
        await bus.publish(FLOOR_EVENTS, word.encode(), key="hq")
    await bus.flush()


class Desk:
    """A saver as a pump has it, and the machine that it saves."""

    def __init__(
        self,
        bus: MemoryBus,
        machine: Machine[Any, Any] | None = None,
        pace: Pace = ONE_A_TURN,
        clock: Clock | None = None,
    ) -> None:
        self.machine = machine or Tallies()
        self.registry = CollectorRegistry()
        self.checkpoints = Checkpoints(bus, "tallies", SystemClock())
        self.told: list[dict[Partition, int]] = []
        self.saver = Saver(
            bus,
            self.machine,
            self.checkpoints,
            clock or SystemClock(),
            pace,
            status=PumpStatus("tallies"),
            metrics=PumpMetrics.on(self.registry, "tallies"),
            on_saved=lambda offsets: self.told.append(dict(offsets)),
        )
        self.offsets = {HERE: 0, THERE: 0}

    def hear(self, *words: str, place: Partition = HERE) -> None:
        for word in words:
            list(self.machine.apply(Said(word, place[1], self.offsets[place])))
            self.offsets[place] += 1
            self.saver.applied(1)

    def begin(self) -> None:
        self.saver.begin_when_due(self.offsets, {})

    def carry_on(self) -> None:
        self.saver.carry_on(self.offsets)

    async def loaded(self) -> Checkpoint:
        await self.saver.settled()
        found = await self.checkpoints.load()
        assert found is not None
        return found


def test_who_has_parts() -> None:
    assert isinstance(Tallies(), PartedMachine)
    assert isinstance(Engine(CONFIG, RULES), PartedMachine)
    assert not isinstance(Counter(), PartedMachine)


# ------------------------------------------------------------ what is in one


async def test_each_part_is_of_the_moment_at_which_it_was_taken(bus: MemoryBus) -> None:
    desk = Desk(bus)
    desk.hear("hq:a", "d:a", "b:a", "c:a")
    desk.begin()  # takes hq
    desk.hear("hq:b", "d:b", "late:a")
    desk.carry_on()  # takes d
    desk.hear("d:c", "b:close")
    desk.hear("c:b", place=THERE)
    assert desk.saver.midway
    desk.carry_on()  # b is gone
    desk.carry_on()
    assert not desk.saver.midway
    desk.hear("c:c")
    loaded = await desk.loaded()
    assert loaded.offsets == {HERE: 4, THERE: 0}
    assert loaded.ahead == {"d": {HERE: 7}, "b": {HERE: 9, THERE: 1}, "c": {HERE: 9, THERE: 1}}
    assert msgspec.msgpack.decode(loaded.state) == {"hq": {"a": 1}, "d": {"a": 1, "b": 1}, "c": {"a": 1, "b": 1}}
    assert desk.told == [{HERE: 4, THERE: 0}]


async def test_the_state_is_what_dump_gives_where_nothing_happened_meanwhile(bus: MemoryBus) -> None:
    desk = Desk(bus)
    desk.hear("hq:a", "d:a", "d:b")
    desk.begin()
    desk.carry_on()
    loaded = await desk.loaded()
    assert loaded.state == desk.machine.dump()
    assert loaded.ahead == {}


async def test_a_machine_without_parts_is_taken_at_once(bus: MemoryBus) -> None:
    desk = Desk(bus, Counter())
    desk.hear("a", "a")
    desk.begin()
    assert not desk.saver.midway
    desk.hear("a")
    loaded = await desk.loaded()
    assert (loaded.offsets, loaded.ahead) == ({HERE: 2, THERE: 0}, {})
    assert msgspec.json.decode(loaded.state)[1] == 2


async def test_a_machine_that_has_heard_nothing_yet_has_no_parts(bus: MemoryBus) -> None:
    desk = Desk(bus)
    desk.saver.applied(1)  # new settings
    desk.begin()
    loaded = await desk.loaded()
    Tallies().load(loaded.state)
    assert loaded.state == Tallies().dump()


async def test_as_many_parts_are_taken_as_there_is_time_for(bus: MemoryBus) -> None:
    desk = Desk(bus, pace=Pace(checkpoint_records=1, parts_s=60, parts_share=1.0))
    desk.hear("hq:a", "d:a", "b:a", "c:a")
    desk.begin()
    assert not desk.saver.midway
    assert len(msgspec.msgpack.decode((await desk.loaded()).state)) == 4
    assert desk.registry.get_sample_value("pump_checkpoint_stop_seconds_count", {"pump": "tallies"}) == 1


async def test_parts_wait_for_those_before_them_to_be_compressed(
    bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "_MOST_UNPACKED", 0)
    desk = Desk(bus, pace=Pace(checkpoint_records=1, parts_s=60, parts_share=1.0))
    desk.hear("hq:a", "d:a", "b:a")
    desk.begin()
    desk.carry_on()
    assert desk.saver.midway, "one is in memory"

    def taken() -> bool:
        desk.carry_on()
        return not desk.saver.midway

    await until(taken)
    assert (await desk.loaded()).state == desk.machine.dump()


# ------------------------------------------------------------ what is waited for, and given up


async def test_what_was_published_until_the_last_part_is_acknowledged_first(bus: MemoryBus) -> None:
    desk = Desk(bus)
    desk.hear("hq:a", "d:a")
    desk.begin()
    for _ in range(10):
        await asyncio.sleep(0)  # whatever it waits for at the beginning, it has it
    bus.stall(FLOOR_FLAGS)
    desk.hear("d:b")
    await bus.publish(FLOOR_FLAGS, b"what d:b made", key="d")
    desk.carry_on()
    await until(lambda: bus.flushes_waiting == 1)
    assert bus.records(FLOOR_CHECKPOINTS) == []
    bus.recover()
    assert (await desk.loaded()).ahead == {"d": {HERE: 3}}


async def test_one_of_which_parts_are_left_is_given_up_and_the_last_one_is_whole(bus: MemoryBus) -> None:
    desk = Desk(bus)
    desk.hear("hq:a", "d:a")
    desk.begin()
    await desk.saver.settled()
    assert not desk.saver.midway
    assert bus.records(FLOOR_CHECKPOINTS) == []
    await desk.saver.finish(desk.offsets, {})
    loaded = await desk.loaded()
    assert (loaded.offsets, loaded.ahead, loaded.state) == (desk.offsets, {}, desk.machine.dump())


async def test_the_next_one_begins_when_the_last_is_written(bus: MemoryBus) -> None:
    desk = Desk(bus)
    desk.hear("hq:a")
    desk.begin()
    desk.hear("hq:a")
    desk.begin()
    assert not desk.saver.midway

    def begun() -> bool:
        desk.begin()
        return len(bus.records(FLOOR_CHECKPOINTS)) == 2

    await until(begun)
    assert desk.told[0] == {HERE: 1, THERE: 0}


async def test_an_idle_pump_goes_on_with_its_parts_at_once() -> None:
    clock = FakeClock()
    bus = MemoryBus(clock)
    await bus.create(ALL)
    for number in range(40):
        await bus.publish(FLOOR_EVENTS, b"site%d:a" % number, key="hq")
    await bus.flush()
    pace = Pace(checkpoint_records=40, parts_s=0.0, parts_share=1.0)
    async with running(tallies_pump(bus, Tallies(), clock=clock, pace=pace)):
        for _ in range(60):
            await clock.advance(0.002)
        await until(lambda: len(bus.records(FLOOR_CHECKPOINTS)) == 1)
    assert clock.monotonic() < 0.2


async def test_a_part_is_taken_only_when_what_its_records_made_is_published() -> None:
    """Else the flush before the checkpoint would not wait for it."""

    class Full(MemoryBus):
        """Its send buffer is full from the first word of site d on."""

        def __init__(self) -> None:
            super().__init__()
            self.blocked, self.room = asyncio.Event(), asyncio.Event()

        async def publish(self, topic: Topic, value: bytes, *, key: str, headers: Headers = ()) -> None:
            if topic == FLOOR_FLAGS and b"d:b" in value:
                self.blocked.set()
                await self.room.wait()
            await super().publish(topic, value, key=key, headers=headers)

    bus = Full()
    await bus.create(ALL)
    pace = Pace(checkpoint_records=2, parts_s=0.0, parts_share=1.0, stretch_s=0.0)
    async with running(pump := tallies_pump(bus, Tallies(), pace=pace)):
        await spoken(bus, ("hq:a", "d:a"))
        await until(lambda: pump._saver.midway)
        await spoken(bus, ("d:b",) * 50)
        await asyncio.wait_for(bus.blocked.wait(), PATIENCE_S)
        assert pump._saver.midway, "d waits"
        bus.room.set()
        await until(lambda: len(bus.records(FLOOR_FLAGS)) == 52 and len(bus.records(FLOOR_CHECKPOINTS)) > 0)


async def test_a_record_that_breaks_the_machine_in_the_middle_leaves_no_trace(bus: MemoryBus) -> None:
    for word in ("hq:a", "d:a", "b:a", "hq:b", "d:boom", "b:b"):
        await bus.publish(FLOOR_EVENTS, word.encode(), key="hq")
    await bus.flush()
    machine = Tallies()
    pace = Pace(checkpoint_records=3, batch_records=1, parts_s=0.0, parts_share=1.0)
    async with running(tallies_pump(bus, machine, pace=pace)):
        await until(lambda: machine.times.get("b", {}).get("b") == 1)
    again = Tallies()
    async with running(pump := tallies_pump(bus, again)):
        await until(lambda: pump.status.ready)
    assert machine.times == again.times == {"hq": {"a": 1, "b": 1}, "d": {"a": 1}, "b": {"a": 1, "b": 1}}


# ------------------------------------------------------------ what a restart leaves out


async def saved(bus: MemoryBus, **ahead: tuple[dict[str, int], int]) -> None:
    """A checkpoint at offset 1, when hq had said one word, with parts that are ahead: what is in each, and the next record."""
    parts = [PackedPart("hq", packed(msgspec.msgpack.encode({"a": 1})), {})]
    parts += [PackedPart(n, packed(msgspec.msgpack.encode(t)), {HERE: offset}) for n, (t, offset) in ahead.items()]
    await Checkpoints(bus, "tallies", SystemClock()).save_parts(parts, {HERE: 1}, {}, begun=SystemClock().now())


ALL_OF_IT = {"hq": {"a": 1, "b": 1}, "d": {"a": 1, "b": 1, "c": 1}}


async def test_what_is_in_a_part_is_not_applied_again_and_nothing_else_is_left_out(bus: MemoryBus) -> None:
    await spoken(bus)
    await saved(bus, d=({"a": 1, "b": 1}, 4))
    machine, registry = Tallies(), CollectorRegistry()
    async with running(pump := tallies_pump(bus, machine, registry=registry)):
        await until(lambda: pump.status.ready)
        assert pump._ahead is None, "it is passed"
    assert machine.times == ALL_OF_IT
    assert {one.id for one in once(bus.records(FLOOR_FLAGS))} == {"0-4", "0-5"}, "the others were published before"
    assert [dict(record.headers)["offset"] for record in bus.records(SWITCH_DEAD_LETTER)] == [b"2"], "as ever"
    known = registry.get_sample_value("pump_records_total", {"pump": "tallies", "outcome": "known"})
    assert known == 2


async def test_a_stop_before_all_that_is_known_is_passed_writes_nothing_that_is_not_so(bus: MemoryBus) -> None:
    await spoken(bus)
    await saved(bus, d=({"a": 1, "b": 1, "c": 1}, 6))
    for stops_at in (2, 4):
        machine = Tallies()
        pump = tallies_pump(bus, machine, pace=Pace(batch_records=1, checkpoint_records=1))
        task = asyncio.create_task(pump.run())
        await until(lambda pump=pump, at=stops_at: pump._next.get(HERE, 0) >= at)  # type: ignore[misc]
        pump.stop()
        await task
    machine = Tallies()
    async with running(pump := tallies_pump(bus, machine)):
        await until(lambda: pump.status.ready)
    assert machine.times == ALL_OF_IT


async def test_a_part_that_lies_beyond_the_end_tells_that_the_topic_was_made_anew(bus: MemoryBus) -> None:
    await spoken(bus, ("new:a", "new:b"))
    await saved(bus, d=({"a": 1, "b": 1}, 4))
    machine = Tallies()
    with capture_logs() as logs:
        async with running(pump := tallies_pump(bus, machine)):
            await until(lambda: pump.status.ready)
            assert pump.life_of(*HERE) == 1
    assert machine.times == {"new": {"a": 1, "b": 1}}
    (told,) = [one for one in logs if one["event"] == "topic_made_anew"]
    assert (told["offset"], told["end"]) == (4, 2)


async def test_records_that_were_not_kept_are_left_out_of_the_parts_that_lack_them_alone(bus: MemoryBus) -> None:
    await spoken(bus)
    await saved(bus, d=({"a": 1, "b": 1}, 4))
    bus.forget_before(FLOOR_EVENTS, 0, 3)
    machine = Tallies()
    with capture_logs() as logs:
        async with running(pump := tallies_pump(bus, machine)):
            await until(lambda: pump.status.ready)
    assert machine.times == ALL_OF_IT, "d had them all"
    (told,) = [one for one in logs if one["event"] == "records_not_kept"]
    assert told["lost"] == 2


async def test_parts_are_of_no_use_to_a_machine_that_knows_none(bus: MemoryBus) -> None:
    part = PackedPart("x", packed(Counter().dump()), {HERE: 1})
    checkpoints = Checkpoints(bus, "counter", SystemClock())
    await checkpoints.save_parts([part], {HERE: 0}, {}, begun=SystemClock().now())
    await spoken(bus, ("a", "a"))
    machine = Counter()
    with capture_logs() as logs:
        async with running(pump := make_pump(bus, machine)):
            await until(lambda: pump.status.ready)
    assert machine.times == {"a": 2}
    assert "checkpoint_not_readable" in {one["event"] for one in logs}


# ------------------------------------------------------------ formats


class PayloadBefore(msgspec.Struct, array_like=True):
    """As versions without parts wrote and read it."""

    format: int
    saved: object
    offsets: list[tuple[str, int, int]]
    state: bytes
    lives: list[tuple[str, int, int]] = []


async def test_versions_without_parts_are_read_and_can_read_what_is_whole(bus: MemoryBus) -> None:
    desk = Desk(bus)
    desk.hear("hq:a", "d:a")
    await desk.saver.finish(desk.offsets, {})
    desk.hear("hq:a")
    desk.begin()
    desk.carry_on()
    await desk.loaded()
    whole, parted = (
        msgspec.msgpack.decode(zlib.decompress(record.value), type=PayloadBefore)
        for record in bus.records(FLOOR_CHECKPOINTS)
    )
    assert (whole.format, msgspec.msgpack.decode(whole.state)) == (1, {"hq": {"a": 1}, "d": {"a": 1}})
    assert parted.format == 2, "passed over by a version that would apply twice what is in its parts"
    older = Checkpoints(bus, "older", SystemClock())
    await older.save(b"", {})
    kept = bus.records(FLOOR_CHECKPOINTS)[-1]
    value = zlib.compress(msgspec.msgpack.encode((1, SystemClock().now(), [(*HERE, 7)], b"its state")))
    header = msgspec.json.decode(dict(kept.headers)["part"])
    header["digest"] = hashlib.blake2b(value, digest_size=16).digest()
    await bus.publish(FLOOR_CHECKPOINTS, value, key="older/0/0/0", headers=(("part", msgspec.json.encode(header)),))
    await bus.flush()
    found = await older.load()
    assert found is not None
    assert (found.state, found.offsets, found.lives, found.ahead) == (b"its state", {HERE: 7}, {}, {})


# ------------------------------------------------------------ the engine


def engine_pump(bus: MemoryBus, engine: Engine, **more: Any) -> Pump[Event, Any]:
    return Pump("tallies", bus, engine, topics=[FLOOR_EVENTS], decode=app.decode, route=app.route, **more)


async def written(bus: MemoryBus, *log: Event) -> None:
    for one in log:
        await bus.publish(FLOOR_EVENTS, encode(one), key=one.site)
    await bus.flush()


def heard(engine: Engine, desk: Desk, *log: Event) -> None:
    for one in log:
        engine.apply(one)
        desk.offsets[HERE] += 1
        desk.saver.applied(1)


OPENED = (
    event(0, events.LinkUp(connector="test"), site="a"),
    event(1, events.AgentLoggedOn(agent_id="1"), 1, "a"),
    event(0, events.LinkUp(connector="test"), site="hq"),
    event(1, events.AgentLoggedOn(agent_id="1"), 3, "hq"),
)


async def test_a_link_that_went_and_came_back_before_its_part_was_taken_does_not_go_again(bus: MemoryBus) -> None:
    """These events have no position of their own, so the engine itself could not tell that it knows them."""
    log = (
        *OPENED,
        event(5, events.LinkDown(connector="test"), site="hq"),
        event(9, events.LinkUp(connector="test"), site="hq"),
        event(10, events.Clock(), site="hq"),
    )
    after = event(12, events.AgentReady(agent_id="1"), 7, "hq")
    whole = Engine(CONFIG, RULES)
    for one in (*log, after):
        whole.apply(one)
    engine = Engine(CONFIG, RULES)
    desk = Desk(bus, engine)
    heard(engine, desk, *OPENED)
    desk.begin()  # takes a
    heard(engine, desk, *log[len(OPENED) :])
    desk.carry_on()  # takes hq
    assert (await desk.loaded()).ahead == {"hq": {HERE: 7}}
    await written(bus, *log, after)
    restored = Engine(CONFIG, RULES)
    async with running(pump := engine_pump(bus, restored)):
        await until(lambda: pump.status.ready)
    assert by_part(restored) == by_part(whole)


async def test_rules_that_change_in_the_middle_are_taken_on_by_each_part(bus: MemoryBus) -> None:
    """A part from before the change is brought in line when it is loaded, one from after it is in line already."""
    ends = event(70, events.AgentReady(agent_id="1"), 5, "a")
    engine = Engine(CONFIG, RULES)
    desk = Desk(bus, engine)
    heard(engine, desk, *OPENED)
    desk.begin()  # takes a
    other = RuleBook(RULES.rules[1:])
    engine.use_rules(other)
    desk.carry_on()  # takes hq
    await desk.loaded()
    heard(engine, desk, ends)
    await written(bus, *OPENED, ends)
    restored = Engine(CONFIG, other)
    async with running(pump := engine_pump(bus, restored)):
        await until(lambda: pump.status.ready)
    assert by_part(restored) == by_part(engine)
