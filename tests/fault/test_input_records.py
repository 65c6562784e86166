"""Records that no client of ours writes and a broker takes: without values, stamped in other units, far larger than ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError

from shared import topics
from shared.kafka import KafkaBus
from tests.brokers import BOTH, Running, empty_broker
from tests.contract.test_ingest import agents, canonical, connect, read_until, ready, running, send

pytestmark = pytest.mark.fault

HERE: Final = [("vendor", b"generic"), ("site", b"s1")]
LARGE: Final = 5_000_000  # compressed it is far below the broker's limit

# what it is called -> the record, and why it is a dead letter
ODD: Final[dict[str, tuple[dict[str, Any], bytes]]] = {
    "a header without a value": ({"value": b"{}", "headers": [("vendor", b"generic"), ("site", None)]}, b"bad_headers"),
    "no value": ({"value": None, "headers": HERE}, b"not_json"),
    "microseconds for milliseconds": (
        {"value": b"{}", "timestamp_ms": 1_795_000_000_000_000, "headers": HERE},
        b"bad_headers",
    ),
    "nanoseconds for milliseconds": (
        {"value": b"{}", "timestamp_ms": 1_795_000_000_000_000_000, "headers": HERE},
        b"bad_headers",
    ),
    "before 1970": ({"value": b"{}", "timestamp_ms": -5, "headers": HERE}, b"bad_headers"),
    "5 MB": ({"value": b"x" * LARGE, "headers": HERE}, b"not_json"),
}


@pytest.fixture(params=BOTH)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with empty_broker(request.param, tmp_path) as started:
        yield started


@pytest.fixture
async def bus(broker: Running) -> AsyncIterator[KafkaBus]:
    bus = connect(broker)
    await bus.create(topics.ALL)
    yield bus
    await bus.close()


async def test_odd_records_are_dead_letters_and_those_between_them_events(broker: Running, bus: KafkaBus) -> None:
    """Also when ingest is started again: a stamp that is none ended everything that read the topic, at each start."""
    expected: list[tuple[bytes, bytes]] = []
    offset = 0
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, compression_type="gzip", max_request_size=2 * LARGE)
    await producer.start()
    try:
        for number, (record, reason) in enumerate(ODD.values()):
            await send(bus, ready(number))
            offset += 1
            try:
                await producer.send_and_wait("switch.raw", key=b"s1", **record)
            except InvalidTimestampError:
                continue  # a broker that looks at stamps itself
            expected.append((reason, str(offset).encode()))
            offset += 1
    finally:
        await producer.stop()
    for _ in range(2):
        async with running(broker):
            letters = await read_until(bus, topics.SWITCH_DEAD_LETTER, lambda found: len(found) >= len(expected))
            found = canonical(await read_until(bus, topics.FLOOR_EVENTS, agents(len(ODD))))
    headers = [dict(letter.headers) for letter in letters]
    assert [(one["reason"], one["offset"]) for one in headers] == expected
    assert headers[-1]["truncated"] == str(LARGE).encode()
    assert letters[-1].value == b"x" * len(letters[-1].value)
    assert [event.data.agent_id for event in found] == [str(n) for n in range(len(ODD))]
