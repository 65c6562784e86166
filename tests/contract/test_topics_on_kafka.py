"""What Apache Kafka does to records while nobody looks: compaction, retention, a limit of size, a lost tail."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from shared.bus import Partition, Record
from shared.checkpoint import Checkpoints
from shared.clock import SystemClock
from shared.errors import BusError, FloorwatchError
from shared.intake import Intake, Item, after
from shared.kafka import KafkaBus
from shared.positions import Position
from shared.pump import Pace
from shared.topics import ALL, FLOOR_CHECKPOINTS, FLOOR_EVENTS, FLOOR_FLAGS, Topic
from tests.brokers import APACHE, Running, administering, broker_of_its_own, empty_broker
from tests.pumpkit import Counter, make_pump, read_all, running, say
from tests.waiting import until


@pytest.fixture(params=[APACHE])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with empty_broker(request.param, tmp_path) as started:
        yield started


@pytest.fixture
async def bus(broker: Running) -> AsyncIterator[KafkaBus]:
    connected = KafkaBus(broker.bootstrap, idempotent=True, request_timeout_s=30)
    yield connected
    with contextlib.suppress(BusError):
        await connected.close()


async def settings_of(admin: AIOKafkaAdminClient, *topics: Topic) -> dict[str, dict[str, str]]:
    named = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    (answer,) = await admin.describe_configs(named)
    return {name: {entry[0]: entry[1] for entry in entries} for _, _, _, name, entries in answer.resources}


async def change(broker: Running, topic: Topic, **settings: str) -> None:
    """Change settings of `topic`; those that are not named are as we create them."""
    named = {key.replace("_", "."): value for key, value in settings.items()}
    ours = {"cleanup.policy": "compact"} if topic.compacted else {}
    async with administering(broker.bootstrap) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, ours | named)])

        async def known() -> bool:
            return (await settings_of(admin, topic))[topic.name].items() >= named.items()

        await until(known, f"the broker knows {named}")


async def remove(broker: Running, bus: KafkaBus, topic: Topic, offset: int) -> None:
    """Have retention remove what is before `offset`, which must be all; and nothing more from then on."""
    await change(broker, topic, retention_ms="1")
    await until(lambda: removed_before(bus, topic, offset), f"retention has removed all before {offset}", every_s=0.1)
    await change(broker, topic, retention_ms="3600000")


async def removed_before(bus: KafkaBus, topic: Topic, offset: int) -> bool:
    """Whether retention has removed what is before `offset`."""
    reader = await bus.read([topic])
    try:
        return (await reader.bounds())[topic.name, 0][0] >= offset
    finally:
        await reader.close()


async def test_topics_are_made_as_production_has_them(broker: Running, bus: KafkaBus) -> None:
    await bus.create(ALL, partitions=3)
    async with administering(broker.bootstrap) as admin:
        found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
        made = await settings_of(admin, *ALL)
    assert {topic.name: found[topic.name] for topic in ALL} == {topic.name: 3 for topic in ALL}
    for topic in ALL:
        settings = made[topic.name]
        keep = "-1" if topic.keep is None else str(int(topic.keep.total_seconds() * 1000))
        assert settings["cleanup.policy"] == ("compact" if topic.compacted else "delete"), topic.name
        assert settings["retention.ms"] == keep, topic.name
        assert int(settings["max.message.bytes"]) > 1_000_000, topic.name


async def test_the_newest_checkpoint_is_whole_when_its_topic_was_compacted(broker: Running, bus: KafkaBus) -> None:
    await bus.create(ALL)
    await change(
        broker, FLOOR_CHECKPOINTS, segment_ms="100", min_cleanable_dirty_ratio="0.01", max_message_bytes="1048000"
    )
    noise = random.Random(7)
    replicas = {name: Checkpoints(bus, "counter", SystemClock(), writer=name) for name in "ab"}
    states: dict[int, bytes] = {}
    written = 0

    async def compacted() -> bool:
        nonlocal written
        for one in replicas.values() if written < 60 else ():
            states[written] = noise.randbytes(1_000_000)  # two records, so that one could be missing
            await one.save(states[written], {("floor.events", 0): written})
            written += 1
        return len(await read_all(bus, FLOOR_CHECKPOINTS)) < 2 * written  # the cleaner is not asked, it comes

    await until(compacted, "the log cleaner has removed a checkpoint", every_s=0.3)
    kept = await read_all(bus, FLOOR_CHECKPOINTS)
    assert kept[0].offset > 0, "holes begin at the start"
    found = await Checkpoints(bus, "counter", SystemClock()).load()
    assert found is not None
    assert found.offsets == {("floor.events", 0): written - 1}
    assert found.state == states[written - 1]
    refused = found.offsets
    before = await Checkpoints(bus, "counter", SystemClock()).load(lambda one: one.offsets != refused)
    assert before is not None, "the one before it is there, too"
    assert before.state == states[before.offsets["floor.events", 0]]


async def test_a_pump_that_was_off_for_longer_than_the_topic_keeps(broker: Running, bus: KafkaBus) -> None:
    await bus.create(ALL)
    machine = Counter()
    async with running(make_pump(bus, machine)):
        await say(bus, "a", "a")
        await until(lambda: machine.applied == 2)
    await say(bus, "gone", "gone", "gone")
    await remove(broker, bus, FLOOR_EVENTS, 5)
    machine, registry = Counter(), CollectorRegistry()
    with capture_logs() as logs:
        async with running(pump := make_pump(bus, machine, registry=registry)):
            await until(lambda: pump.status.ready)
            await say(bus, "b")
            await until(lambda: machine.times == {"a": 2, "b": 1})
    (told,) = [entry for entry in logs if entry["event"] == "records_not_kept"]
    assert (told["offset"], told["first"], told["lost"]) == (2, 5, 3)
    assert registry.get_sample_value("pump_offsets_lost_total", {"pump": "counter", "why": "not_kept"}) == 1


class Desk:
    """A database's end of an intake, and who hears how it goes."""

    def __init__(self) -> None:
        self.stored: dict[Partition, Position] = {}
        self.values: list[bytes] = []
        self.gone = self.begun_anew = 0

    async def positions(self) -> Mapping[Partition, Position]:
        return self.stored

    async def take(self, items: Sequence[Item[Record]]) -> None:
        self.values += [item.record.value for item in items]
        self.stored |= after(items)

    async def start_anew(self) -> None:
        self.stored = {}
        self.begun_anew += 1

    def not_kept(self, records: int) -> None:
        self.gone += records

    def live(self) -> None: ...

    def lost(self, why: FloorwatchError) -> None: ...

    def refused(self, reason: str) -> None: ...

    def lag(self, records: int) -> None: ...


@contextlib.asynccontextmanager
async def reading(bus: KafkaBus, desk: Desk) -> AsyncIterator[None]:
    def as_it_is(record: Record) -> Record:
        return record

    intake = Intake("test", FLOOR_FLAGS, bus=bus, clock=SystemClock(), read=as_it_is, sink=desk, watch=desk)
    task = asyncio.create_task(intake.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_database_that_was_off_for_longer_than_the_topic_keeps(broker: Running, bus: KafkaBus) -> None:
    await bus.create([FLOOR_FLAGS])
    desk = Desk()

    async def tell(*words: bytes) -> None:
        for word in words:
            await bus.publish(FLOOR_FLAGS, word, key="s1")
        await bus.flush()

    async with reading(bus, desk):
        await tell(b"read", b"read, too")
        await until(lambda: len(desk.values) == 2)
    await tell(b"gone", b"gone", b"gone")
    await remove(broker, bus, FLOOR_FLAGS, 5)
    async with reading(bus, desk):
        await until(lambda: desk.gone == 3)
        await tell(b"kept")
        await until(lambda: desk.values[2:] == [b"kept"])
    assert (desk.gone, desk.begun_anew) == (3, 1)


async def test_a_topic_that_takes_less_than_ours_is_named_with_what_to_set(broker: Running, bus: KafkaBus) -> None:
    """Nothing is dropped: who sent it goes on when the topic takes it."""
    await bus.create([FLOOR_EVENTS])
    await change(broker, FLOOR_EVENTS, max_message_bytes="100000")
    await bus.publish(FLOOR_EVENTS, os.urandom(200_000), key="s1")
    with pytest.raises(BusError, match=r"for its size \(sending to floor.events\): set max.message.bytes .* 1048000"):
        await bus.flush()


async def covered(bus: KafkaBus, offset: int) -> bool:
    found = await Checkpoints(bus, "counter", SystemClock()).load()
    return found is not None and found.offsets == {("floor.events", 0): offset}


def cut_last_byte(folder: Path) -> None:
    """Of the log of floor.events: its last batch is incomplete then, and the broker removes it when it starts."""
    (log,) = folder.rglob("floor.events-0/00000000000000000000.log")
    os.truncate(log, log.stat().st_size - 1)


@pytest.mark.parametrize("kind", [APACHE])
async def test_a_log_that_lost_its_end_is_counted_from_its_beginning(kind: str, tmp_path: Path) -> None:
    """The machine that the broker runs on lost power: what was acknowledged and not on its disk is gone."""
    registry = CollectorRegistry()
    machine = Counter()
    with broker_of_its_own(kind, tmp_path) as broker:
        bus = KafkaBus(broker.bootstrap, idempotent=True, request_timeout_s=30)
        pump = make_pump(
            bus, machine, registry=registry, pace=Pace(checkpoint_s=0.05, backoff_s=0.01, backoff_max_s=0.05)
        )
        async with running(pump):
            await until(lambda: pump.status.ready)
            for word in "aab":
                await say(bus, word)
            await until(lambda: covered(bus, 3), "a checkpoint covers all three", every_s=0.1)
            broker.kill()
            cut_last_byte(tmp_path)
            broker.start()
            await until(lambda: machine.times == {"a": 2} and pump.status.ready, "what is left is counted")
            await say(bus, "c")
            await until(lambda: machine.times == {"a": 2, "c": 1})
        assert registry.get_sample_value("pump_offsets_lost_total", {"pump": "counter", "why": "made_anew"}) == 1
        await bus.close()
