"""Ingest on a real broker: raw records in, canonical events and dead letters out, across restarts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.ingest.app import Ingest
from services.ingest.links import link_value
from shared import events, topics
from shared.bus import Record
from shared.clock import SystemClock
from shared.codec import decode_event, encode
from shared.dedup import Passed
from shared.events import Event
from shared.kafka import KafkaBus
from shared.raw import Raw
from shared.settings import IngestSettings
from shared.siteconfig import Sites
from shared.topics import Topic
from tests.brokers import BOTH, Running, empty_broker
from tests.ingestkit import cloud, raw

PATIENCE_S = 60.0


@pytest.fixture(params=BOTH)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A broker of its own: ingest's topics have fixed names."""
    with empty_broker(request.param, tmp_path) as started:
        yield started


def connect(broker: Running) -> KafkaBus:
    return KafkaBus(broker.bootstrap, idempotent=broker.idempotent)


@pytest.fixture
async def bus(broker: Running) -> AsyncIterator[KafkaBus]:
    bus = connect(broker)
    await bus.create(topics.ALL)
    yield bus
    await bus.close()


@contextlib.asynccontextmanager
async def running(broker: Running, *, checkpoint_s: float = 0.05, crash: bool = False) -> AsyncIterator[Ingest]:
    """The service without its HTTP side. `crash`: gone in the middle of what it does, as when it is killed."""
    bus, side_bus = connect(broker), connect(broker)
    settings = IngestSettings(checkpoint_s=checkpoint_s)
    ingest = Ingest(settings, bus, side_bus, SystemClock(), Sites(), CollectorRegistry())
    tasks = [asyncio.create_task(work) for work in (ingest.pump.run(), ingest.marker.run(), ingest.dead_letters.run())]
    try:
        yield ingest
        if not crash:
            ingest.pump.stop()
            await asyncio.wait_for(asyncio.shield(tasks[0]), PATIENCE_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await side_bus.close()
        await bus.close()


async def send(bus: KafkaBus, *records: Raw) -> None:
    for record in records:
        await bus.publish(topics.SWITCH_RAW, record.value, key=record.site, headers=record.headers())
    await bus.flush()


async def read_until(bus: KafkaBus, topic: Topic, enough: Callable[[list[Record]], bool]) -> list[Record]:
    """All records of `topic`, from the first on, as soon as they are enough."""
    reader = await bus.read([topic])
    found: list[Record] = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not enough(found):
                found += await reader.getmany(timeout_s=0.2)
    finally:
        await reader.close()
    return found


def canonical(records: list[Record]) -> list[Event]:
    """Without clock marks."""
    found = [decode_event(record.value) for record in records]
    return [event for event in found if not isinstance(event.data, events.Clock)]


def ready(number: int) -> Raw:
    value = cloud("agent_ready", {"agent_id": str(number)}, at_s=number, id=str(number))
    return raw(value, session="x", seq=number)


def agents(count: int) -> Callable[[list[Record]], bool]:
    return lambda records: len(canonical(records)) >= count


async def test_raw_records_become_canonical_events(broker: Running, bus: KafkaBus) -> None:
    async with running(broker) as ingest:
        await send(bus, ready(0), ready(1), ready(1), ready(2))
        records = await read_until(bus, topics.FLOOR_EVENTS, agents(3))
        assert [record.key for record in records] == [b"s1"] * len(records)
        found = canonical(records)
        assert [event.data for event in found] == [events.AgentReady(agent_id=str(n)) for n in range(3)]
        assert [event.rawoffset for event in found] == [0, 1, 3]
        (source,) = ingest.machine.sources
        assert (source.received, source.duplicates) == (4, 1)


async def test_what_cannot_be_used_is_kept_untouched_with_the_reason(broker: Running, bus: KafkaBus) -> None:
    damaged = b'{"specversion": "1.0", \xff\x00'
    async with running(broker) as ingest:
        await send(bus, ready(0), raw(damaged), raw(b"x", vendor="acme"))
        await bus.publish(topics.SWITCH_RAW, b"no headers", key="s1")
        await send(bus, ready(1))
        letters = await read_until(bus, topics.SWITCH_DEAD_LETTER, lambda found: len(found) >= 3)
        assert len(canonical(await read_until(bus, topics.FLOOR_EVENTS, agents(2)))) == 2
        async with asyncio.timeout(PATIENCE_S):
            while len(ingest.dead_letters.last(10)) < 3:
                await asyncio.sleep(0.01)
        shown = ingest.dead_letters.last(10)
    headers = [dict(letter.headers) for letter in letters]
    assert [letter.value for letter in letters] == [damaged, b"x", b"no headers"]
    assert [h["reason"] for h in headers] == [b"not_json", b"unknown_vendor", b"bad_headers"]
    assert [(h["topic"], h["partition"], h["offset"]) for h in headers] == [
        (b"switch.raw", b"0", str(offset).encode()) for offset in (1, 2, 3)
    ]
    assert headers[1]["original-vendor"] == b"acme"
    assert [(one.offset, one.reason) for one in shown] == [
        (3, "bad_headers"),
        (2, "unknown_vendor"),
        (1, "not_json"),
    ]
    assert shown[2].value == '{"specversion": "1.0", \\xff\\x00'


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
async def test_a_restart_neither_loses_nor_doubles(crash: bool, broker: Running, bus: KafkaBus) -> None:
    async with running(broker, checkpoint_s=0.05, crash=crash):
        await send(bus, *(ready(n) for n in range(50)))
        await read_until(bus, topics.FLOOR_EVENTS, agents(50))
    await send(bus, *(ready(n) for n in range(40, 100)))  # the connector sends its last ten once more
    async with running(broker) as ingest:
        records = await read_until(
            bus,
            topics.FLOOR_EVENTS,
            lambda found: any(e.data == events.AgentReady(agent_id="99") for e in canonical(found)),
        )
        (source,) = ingest.machine.sources
        assert (source.received, source.duplicates, source.gaps) == (110, 10, 0)
    passed = Passed()
    read = [e for e in canonical(records) if not passed.seen(e.site, e.rawpartition, e.rawoffset, e.rawindex)]
    assert [event.data for event in read] == [events.AgentReady(agent_id=str(n)) for n in range(100)]
    assert len({event.id for event in canonical(records)}) == 100


async def test_marks_follow_the_switchs_clock(broker: Running, bus: KafkaBus) -> None:
    clock = SystemClock()
    up = events.LinkUp(connector="c1", simulated=True, speed=60.0)
    began = clock.now()
    link = Raw(
        value=link_value(up, id="1", source="/c1", time=began),
        vendor="generic",
        site="s1",
        connector="c1",
        received=began,
        kind="link",
    )

    def marks(records: list[Record]) -> list[Event]:
        found = [decode_event(record.value) for record in records]
        return [event for event in found if isinstance(event.data, events.Clock)]

    async with running(broker):
        await send(bus, link)
        found = marks(await read_until(bus, topics.FLOOR_EVENTS, lambda records: len(marks(records)) >= 5))
    times = [mark.time for mark in found]
    assert times == sorted(set(times))
    for mark in found:
        assert mark.receivedtime is not None
        ours = (mark.receivedtime - began).total_seconds()
        theirs = (mark.time - began).total_seconds()
        assert theirs == pytest.approx((ours - 0.1) * 60, abs=0.01)
        assert mark.data == events.Clock(skew_s=pytest.approx(ours - ours * 60, abs=0.01), speed=60.0)
    assert encode(found[0])  # and it is an event like any other
