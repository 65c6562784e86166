"""What every bus promises, on the one in memory, the embedded broker and Apache Kafka."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.bus import MAX_RECORD_BYTES, Bus, Reader, Record
from shared.errors import BusError, InvalidInput, OffsetLost
from shared.kafka import KafkaBus
from shared.memorybus import MemoryBus
from shared.topics import Topic
from tools.servers import free_port

REAL = os.environ.get("KAFKA_BOOTSTRAP_REAL", "")


@pytest.fixture(
    params=[
        "memory",
        "embedded",
        pytest.param(
            "apache",
            marks=[
                pytest.mark.kafka,
                pytest.mark.skipif(not REAL, reason="KAFKA_BOOTSTRAP_REAL names no Apache Kafka"),
            ],
        ),
    ]
)
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    made: Bus
    if request.param == "memory":
        made = MemoryBus()
    elif request.param == "embedded":
        made = KafkaBus(request.getfixturevalue("kafka_bootstrap"), request_timeout_s=5)
    else:
        made = KafkaBus(REAL, idempotent=True)
    yield made
    await made.close()


@pytest.fixture
def topic() -> Topic:
    return Topic(f"test.{uuid4().hex}", "site", timedelta(hours=1))


async def read_until(reader: Reader, count: int) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += await reader.getmany(timeout_s=1.0)
    return found


async def fill(bus: Bus, topic: Topic, count: int, key: str = "s1") -> None:
    for number in range(count):
        await bus.publish(topic, str(number).encode(), key=key)
    await bus.flush()


async def test_a_record_comes_back_as_it_was_written(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    before = datetime.now(UTC) - timedelta(seconds=1)
    await bus.publish(
        topic, b'{"a": 1}', key="zürich", headers=(("vendor", b"asterisk"), ("vendor", b""), ("x", b"\xff"))
    )
    await bus.flush()
    reader = await bus.read([topic])
    (record,) = await read_until(reader, 1)
    await reader.close()
    assert (record.topic, record.partition, record.offset) == (topic.name, 0, 0)
    assert (record.key, record.value) == ("zürich".encode(), b'{"a": 1}')
    assert record.headers == (("vendor", b"asterisk"), ("vendor", b""), ("x", b"\xff"))
    assert before < record.written < datetime.now(UTC) + timedelta(seconds=1)


async def test_records_of_one_key_share_a_partition_and_keep_their_order(bus: Bus, topic: Topic) -> None:
    await bus.create([topic], partitions=3)
    for number in range(300):
        await bus.publish(topic, str(number).encode(), key=f"site-{number % 10}")
    await bus.flush()
    reader = await bus.read([topic])
    places: dict[bytes, set[int]] = defaultdict(set)
    values: dict[bytes, list[int]] = defaultdict(list)
    for record in await read_until(reader, 300):
        places[record.key].add(record.partition)
        values[record.key].append(int(record.value))
    await reader.close()
    assert all(len(numbers) == 1 for numbers in places.values())
    assert len(set.union(*places.values())) > 1, "all keys fell onto one partition"
    assert all(found == sorted(found) and len(found) == 30 for found in values.values())


async def test_getmany_returns_no_more_than_asked_and_loses_nothing_between_calls(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    await fill(bus, topic, 100)
    reader = await bus.read([topic])
    found: list[Record] = []
    async with asyncio.timeout(60):
        while len(found) < 100:
            batch = await reader.getmany(timeout_s=1.0, max_records=7)
            assert len(batch) <= 7
            found += batch
    await reader.close()
    assert [int(record.value) for record in found] == list(range(100))
    assert [record.offset for record in found] == list(range(100))


async def test_getmany_waits_for_what_comes_later(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    reader = await bus.read([topic])
    waiting = asyncio.create_task(reader.getmany(timeout_s=10.0))
    await bus.publish(topic, b"late", key="s1")
    assert [record.value for record in await waiting] == [b"late"]
    await reader.close()


async def test_getmany_of_nothing_is_empty(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    reader = await bus.read([topic])
    assert await reader.getmany(timeout_s=0.05) == []
    await reader.close()


async def test_a_reader_can_start_at_the_end(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    await fill(bus, topic, 3)
    reader = await bus.read([topic], start="latest")
    await bus.publish(topic, b"new", key="s1")
    await bus.flush()
    assert [record.value for record in await read_until(reader, 1)] == [b"new"]
    await reader.close()


async def test_seek_moves_the_named_partition_and_leaves_the_others(bus: Bus, topic: Topic) -> None:
    other = Topic(topic.name + ".other", "site", timedelta(hours=1))
    await bus.create([topic, other])
    await fill(bus, topic, 5)
    await fill(bus, other, 5)
    reader = await bus.read([topic, other])
    await read_until(reader, 10)
    await reader.seek({(topic.name, 0): 3})
    again = await read_until(reader, 2)
    assert [(record.topic, record.offset) for record in again] == [(topic.name, 3), (topic.name, 4)]
    with pytest.raises(BusError, match=r"nowhere\[0\] is not read"):
        await reader.seek({("nowhere", 0): 0})
    await reader.close()


async def test_lag_and_bounds_count_what_is_left(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    await fill(bus, topic, 10)
    reader = await bus.read([topic])
    assert await reader.bounds() == {(topic.name, 0): (0, 10)}
    assert await reader.lag() == {(topic.name, 0): 10}
    await reader.getmany(timeout_s=5.0, max_records=4)
    assert await reader.lag() == {(topic.name, 0): 6}
    await read_until(reader, 6)
    assert await reader.lag() == {(topic.name, 0): 0}
    await reader.close()


async def test_a_reader_can_keep_to_some_partitions(bus: Bus, topic: Topic) -> None:
    await bus.create([topic], partitions=3)
    for number in range(60):
        await bus.publish(topic, b"x", key=f"site-{number}")
    await bus.flush()
    reader = await bus.read([topic], partitions=[1])
    ends = await reader.bounds()
    assert list(ends) == [(topic.name, 1)]
    found = await read_until(reader, ends[topic.name, 1][1])
    assert {record.partition for record in found} == {1}
    await reader.close()
    with pytest.raises(BusError, match="no partition"):
        await bus.read([topic], partitions=[7])


async def test_two_readers_do_not_share(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    await fill(bus, topic, 5)
    first, second = await bus.read([topic]), await bus.read([topic])
    assert len(await read_until(first, 5)) == len(await read_until(second, 5)) == 5
    await first.close()
    await second.close()


async def test_creating_what_exists_changes_nothing(bus: Bus, topic: Topic) -> None:
    await bus.create([topic], partitions=2)
    await fill(bus, topic, 3)
    await bus.create([topic], partitions=2)
    reader = await bus.read([topic])
    assert sum(end for _, end in (await reader.bounds()).values()) == 3
    await reader.close()


async def test_what_was_created_can_be_read_at_once(
    kafka_bootstrap: str, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker may know a topic later than it says that it is made."""
    describe = AIOKafkaAdminClient.describe_topics
    asked: list[int] = []

    async def late(self: AIOKafkaAdminClient) -> list[Any]:
        found = await describe(self)
        asked.append(len(found))
        return [one for one in found if one["topic"] != topic.name or len(asked) > 3]

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_topics", late)
    bus = KafkaBus(kafka_bootstrap, request_timeout_s=20)
    await bus.create([topic])
    assert len(asked) == 4
    await (await bus.read([topic])).close()
    await bus.close()


async def test_a_reader_of_what_does_not_exist_is_told_and_makes_nothing(bus: Bus, topic: Topic) -> None:
    for _ in range(2):
        with pytest.raises(BusError, match="does not exist"):
            await bus.read([topic])
    await bus.create([topic], partitions=3)
    reader = await bus.read([topic])
    assert len(await reader.bounds()) == 3
    await reader.close()


async def test_an_offset_beyond_the_end_is_told(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    await fill(bus, topic, 3)
    reader = await bus.read([topic])
    await reader.seek({(topic.name, 0): 50})

    async def listen() -> None:
        while True:
            await reader.getmany(timeout_s=0.2)

    async with asyncio.timeout(60):
        with pytest.raises(OffsetLost, match="offset 50 is beyond the end, 3"):
            await listen()
    await reader.seek({(topic.name, 0): 0})
    assert len(await read_until(reader, 3)) == 3
    await reader.close()


async def test_a_record_as_large_as_allowed_passes_and_a_larger_one_is_refused(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    with pytest.raises(InvalidInput, match="over the 1000000 allowed") as refused:
        await bus.publish(topic, bytes(MAX_RECORD_BYTES), key="s1")
    assert refused.value.reason == "too_large"
    largest = os.urandom(MAX_RECORD_BYTES - 2)
    await bus.publish(topic, largest, key="s1")
    await bus.publish(topic, b"small", key="s1")
    await bus.flush()
    reader = await bus.read([topic])
    assert [record.value for record in await read_until(reader, 2)] == [largest, b"small"]
    await reader.close()


async def test_much_more_than_the_buffer_arrives_whole(bus: Bus, topic: Topic) -> None:
    await bus.create([topic])
    chunk = bytes(100_000)
    for number in range(300):  # 30 MB
        await bus.publish(topic, number.to_bytes(2, "big") + chunk, key="s1")
    await bus.flush()
    reader = await bus.read([topic])
    found = await read_until(reader, 300)
    await reader.close()
    assert [int.from_bytes(record.value[:2], "big") for record in found] == list(range(300))


async def test_close_sends_what_is_queued(bus: Bus, topic: Topic, make_another: Callable[[], Bus]) -> None:
    await bus.create([topic])
    await bus.publish(topic, b"last words", key="s1")
    await bus.close()
    other = make_another()
    reader = await other.read([topic])
    assert [record.value for record in await read_until(reader, 1)] == [b"last words"]
    await reader.close()
    await other.close()


@pytest.fixture
def make_another(bus: Bus) -> Callable[[], Bus]:
    """A second connection to the same broker."""

    def make() -> Bus:
        return KafkaBus(bus.bootstrap) if isinstance(bus, KafkaBus) else bus

    return make


@pytest.fixture(params=["memory", "kafka"])
async def unreachable(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    if request.param == "memory":
        broken = MemoryBus()
        broken.break_down()
        yield broken
    else:
        yield KafkaBus(f"127.0.0.1:{free_port()}", request_timeout_s=2)


async def test_a_bus_that_cannot_be_reached_says_where_and_why(unreachable: Bus, topic: Topic) -> None:
    where = unreachable.bootstrap if isinstance(unreachable, KafkaBus) else "the bus in memory"
    with pytest.raises(BusError, match=f"cannot reach .*{where}: connection refused"):
        await unreachable.create([topic])
    with pytest.raises(BusError, match=where):
        await unreachable.publish(topic, b"x", key="s1")
    with pytest.raises(BusError, match=where):
        await unreachable.read([topic])
    await unreachable.close()
