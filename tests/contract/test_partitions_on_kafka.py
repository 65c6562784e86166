"""Topics whose partitions are others than a reader expects, or change under it. On Apache Kafka, which lets one do that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import NewPartitions
from structlog.testing import capture_logs

from shared.kafka import KafkaBus
from shared.pump import Pace
from shared.topics import ALL, FLOOR_EVENTS
from tests.brokers import APACHE, Running, empty_broker
from tests.contract.test_topics_made_anew import administer
from tests.pumpkit import Counter, make_pump, read_all, running, say
from tests.waiting import until

FAST = Pace(checkpoint_s=0.05, backoff_s=0.01, backoff_max_s=0.05)


@pytest.fixture(params=[APACHE])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with empty_broker(request.param, tmp_path) as started:
        yield started


def connect(broker: Running, *, request_timeout_s: float = 30) -> KafkaBus:
    return KafkaBus(broker.bootstrap, idempotent=True, request_timeout_s=request_timeout_s, metadata_age_s=0.2)


@pytest.fixture
async def talker(broker: Running) -> AsyncIterator[KafkaBus]:
    """With all topics made."""
    connected = connect(broker)
    await connected.create(ALL)
    yield connected
    await connected.close()


@pytest.fixture
async def bus(broker: Running, talker: KafkaBus) -> AsyncIterator[KafkaBus]:
    """The pump's. Who asks for the end of a topic that is deleted hears nothing until his time is up."""
    connected = connect(broker, request_timeout_s=5)
    yield connected
    await connected.close()


async def grow(broker: Running, partitions: int) -> None:
    await administer(broker, "create_partitions", {FLOOR_EVENTS.name: NewPartitions(partitions)})


async def say_everywhere(broker: Running, partitions: int) -> int:
    """Say words under names enough for every partition to have some; how many."""
    talker = connect(broker)
    try:
        for number in range(1, 1000):
            await say(talker, "word", key=f"site-{number}")
            if len({record.partition for record in await read_all(talker, FLOOR_EVENTS)}) == partitions:
                return number
        raise AssertionError("no name is on some partition")
    finally:
        await talker.close()


async def test_partitions_that_a_topic_is_given_later_are_read_too(broker: Running, bus: KafkaBus) -> None:
    """Names are on other partitions then: who read only those that there were would never hear of some sites again."""
    machine = Counter()
    async with running(pump := make_pump(bus, machine, pace=FAST)):
        await until(lambda: pump.status.ready)
        await grow(broker, 3)
        said = await say_everywhere(broker, 3)
        await until(lambda: machine.times == {"word": said} and pump.status.ready, "every word is counted, once")


async def test_a_partition_that_is_not_there_is_named_and_waited_for(
    broker: Running, bus: KafkaBus, talker: KafkaBus
) -> None:
    machine = Counter()
    async with running(pump := make_pump(bus, machine, pace=FAST, partitions=[0, 2])):
        why = "topic floor.events has no partition [2], it has 1"
        await until(lambda: why in pump.status.explain(), "it says what is wrong")
        await say(talker, "a")
        await grow(broker, 3)
        await until(lambda: machine.times == {"a": 1} and pump.status.ready, "it goes on by itself")


async def test_a_topic_that_is_deleted_under_its_reader_is_made_anew_and_read(
    broker: Running, bus: KafkaBus, talker: KafkaBus
) -> None:
    machine = Counter()
    with capture_logs() as logs:
        async with running(pump := make_pump(bus, machine, pace=FAST)):
            await until(lambda: pump.status.ready)
            await say(talker, "a", "a", "b")
            await until(lambda: machine.applied == 3)
            await administer(broker, "delete_topics", [FLOOR_EVENTS.name])
            await until(lambda: machine.times == {} and pump.status.ready, "what stood in it is forgotten")
            anew = connect(broker)
            await say(anew, "c")
            await until(lambda: machine.times == {"c": 1}, "it goes on from the new one's beginning")
            await anew.close()
    told = [(entry["log_level"], entry["topic"]) for entry in logs if entry["event"] == "topic_made_anew"]
    assert set(told) == {("error", "floor.events")}
