"""Records that may wait so that more go together: they do, they come in order, and nobody has to ask for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared import topics
from shared.kafka import KafkaBus
from shared.topics import Topic
from tests.contract.test_bus import read_until


@pytest.fixture
async def bus(kafka_bootstrap: str) -> AsyncIterator[KafkaBus]:
    made = KafkaBus(kafka_bootstrap, request_timeout_s=5)
    yield made
    await made.close()


def a_topic(linger_s: float) -> Topic:
    return Topic(f"test.{uuid4().hex}", "site", timedelta(hours=1), linger_s=linger_s)


async def test_they_arrive_without_being_asked_for_and_in_order(bus: KafkaBus) -> None:
    topic = a_topic(0.02)
    await bus.create([topic])
    for number in range(300):
        await bus.publish(topic, str(number).encode(), key="s1")
        await asyncio.sleep(0)  # some go while others come
    reader = await bus.read([topic])
    assert [int(record.value) for record in await read_until(reader, 300)] == list(range(300))
    await reader.close()


async def test_more_than_a_batch_of_them_goes_before_it_is_due(bus: KafkaBus) -> None:
    topic = a_topic(3600)
    await bus.create([topic])
    for number in range(300):
        await bus.publish(topic, str(number).encode().rjust(1000), key="s1")
    assert bus._sender is not None
    lane = bus._sender._lanes[topic.name, 0]
    async with asyncio.timeout(60):
        while lane.task is not None:
            await asyncio.sleep(0.001)
    assert lane.open is not None, "what does not fill a batch does not go behind one that does"
    reader = await bus.read([topic])
    found = await read_until(reader, 300 - lane.open.builder.record_count())
    assert [int(record.value) for record in found] == list(range(len(found)))
    await bus.flush()
    rest = await read_until(reader, 300 - len(found))
    assert [int(record.value) for record in found + rest] == list(range(300))
    await reader.close()


async def test_they_go_together_while_others_go_at_once(bus: KafkaBus) -> None:
    patient, prompt = a_topic(3600), a_topic(0)
    await bus.create([patient, prompt])
    sent = await spy(bus, prompt)
    before = sent[prompt.name]
    for number in range(50):
        await bus.publish(patient, str(number).encode(), key="s1")
        await bus.publish(prompt, str(number).encode(), key="s1")
        async with asyncio.timeout(60):
            while sent[prompt.name] - before <= number:
                await asyncio.sleep(0.001)
    assert sent[patient.name] == 0
    await bus.flush()
    assert sent[patient.name] == 1
    reader = await bus.read([patient])
    assert [int(record.value) for record in await read_until(reader, 50)] == list(range(50))
    await reader.close()


async def spy(bus: KafkaBus, topic: Topic) -> Counter[str]:
    """Batches handed to the client, by topic; `topic` gets a record so that there is a client."""
    await bus.publish(topic, b"first", key="s1")
    await bus.flush()
    assert bus._sender is not None
    producer = bus._sender._producer
    send, sent = producer.send_batch, Counter[str]()

    async def counted(batch: Any, name: str, **place: Any) -> Any:
        sent[name] += 1
        return await send(batch, name, **place)

    producer.send_batch = counted
    return sent


def test_flags_do_not_wait_and_records_do() -> None:
    assert {topic.name for topic in topics.ALL if topic.linger_s} == {topics.FLOOR_RECORDS.name}
