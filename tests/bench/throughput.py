"""P1: events per CPU-second of the whole pipeline, against the bare prototype on the same records of the same broker.

Counted is the CPU time of the one process: reading from Kafka, decoding, duplicates, engine with the default rules, figures,
deltas for fifty boards, facts encoded and published, metrics. A child stands still while the records are written, so
that what is measured is a reader that always finds something, and never the producer.
"""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from shared import topics
from shared.kafka import KafkaBus
from tests.bench import brokers
from tests.bench.children import child, say, wait_for_go
from tests.bench.figures import Figure, Scale, Yardstick, median
from tests.bench.floors import LARGE, MANY, SMALL, Item, Load, Size
from tests.bench.monitor import Bench
from tests.bench.prototype import Prototype

BOARDS: Final = 50
_FLUSH_S: Final = 0.05


class Task(Struct, frozen=True):
    """What a child measures: `measured` records after `opening` of them."""

    bootstrap: str
    idempotent: bool
    opening: int
    measured: int


class Run(Struct, frozen=True):
    records: int
    cpu_s: float
    deltas: int = 0
    facts: int = 0

    @property
    def rate(self) -> float:
        return self.records / self.cpu_s


def pipeline(task: Task) -> None:
    """A child: the real monitor."""
    asyncio.run(_pipeline(task))


async def _pipeline(task: Task) -> None:
    bus = KafkaBus(task.bootstrap, idempotent=task.idempotent)
    bench = Bench(bus, boards=BOARDS)
    await bench.start()
    await bench.applied(task.opening)
    await bus.flush()
    deltas, facts = bench.count("monitor_feed_deltas_total"), bench.facts()
    wait_for_go()
    began = time.process_time()
    await bench.applied(task.opening + task.measured)
    bench.monitor.hub.flush()
    await bus.flush()
    used = time.process_time() - began
    deltas, facts = bench.count("monitor_feed_deltas_total") - deltas, bench.facts() - facts
    say(Run(task.measured, used, int(deltas), facts))
    await bench.stop()


def bare(task: Task) -> None:
    """A child: the prototype."""
    asyncio.run(_bare(task))


async def _bare(task: Task) -> None:
    async with reading(task.bootstrap, wait_ms=200) as consumer:
        prototype = Prototype()
        await _drain(consumer, prototype, task.opening)
        deltas = prototype.position
        wait_for_go()
        began = time.process_time()
        await _drain(consumer, prototype, task.opening + task.measured)
        used = time.process_time() - began
        say(Run(task.measured, used, prototype.position - deltas))


@contextlib.asynccontextmanager
async def reading(bootstrap: str, *, wait_ms: int) -> AsyncIterator[AIOKafkaConsumer]:
    """The client alone, on all of `floor.events`."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, fetch_max_wait_ms=wait_ms
    )
    await consumer.start()
    try:
        places = [TopicPartition(topics.FLOOR_EVENTS.name, number) for number in range(brokers.PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        yield consumer
    finally:
        await consumer.stop()


async def drained(bootstrap: str, prototype: Prototype, records: int) -> None:
    """Let `prototype` read so many records from the beginning on."""
    async with reading(bootstrap, wait_ms=20) as consumer:
        await _drain(consumer, prototype, records)


async def _drain(consumer: AIOKafkaConsumer, prototype: Prototype, until: int) -> None:
    feed, flush_at = prototype.feed, time.monotonic() + _FLUSH_S
    while prototype.applied < until:
        for batch in (await consumer.getmany(timeout_ms=100, max_records=2000)).values():
            for record in batch:
                feed(record.value)
        if time.monotonic() >= flush_at:
            prototype.flush()
            flush_at = time.monotonic() + _FLUSH_S
    prototype.flush()


async def write(at: brokers.At, items: Iterable[Item]) -> None:
    """All of `items` onto `floor.events`, in large batches."""
    bus = KafkaBus(at.bootstrap, idempotent=at.idempotent, linger_s=0.05)
    await bus.create(topics.ALL, partitions=brokers.PARTITIONS)
    for item in items:
        await bus.publish(topics.FLOOR_EVENTS, item.value, key=item.site)
    await bus.close()


async def _measure(kind: brokers.Kind, opening: list[Item], measured: list[Item], *, prototype: bool) -> Run:
    with brokers.broker(kind) as at:
        await write(at, opening)
        task = Task(at.bootstrap, at.idempotent, len(opening), len(measured))
        async with child(bare if prototype else pipeline, task) as one:
            await one.ready()
            await write(at, measured)
            one.go()
            found = await one.hear()
    return Run(**found)


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P1: ten thousand agents on floors as `make run` shows one."""
    return await _compare(kind, "P1", "pipeline, 250 floors of 40", MANY, scale, lasts_s=20)


async def measure_large(kind: brokers.Kind, scale: Scale) -> Figure:
    """P1L: as many on twenty large floors. Three of four records are events then, which cost more than marks."""
    return await _compare(kind, "P1L", "pipeline, 20 floors of 520", LARGE, scale, lasts_s=60)


async def _compare(kind: brokers.Kind, name: str, what: str, size: Size, scale: Scale, *, lasts_s: float) -> Figure:
    """Medians of alternating runs."""
    quick = scale == "quick"
    load = Load(SMALL if quick else size)
    opening, measured = list(load.opening()), list(load.run(10 if quick else lasts_s))
    theirs: list[Run] = []
    ours: list[Run] = []
    for _ in range(1 if quick else 3):
        theirs.append(await _measure(kind, opening, measured, prototype=True))
        ours.append(await _measure(kind, opening, measured, prototype=False))
    rate, bare_rate = median(run.rate for run in ours), median(run.rate for run in theirs)
    return Figure(
        id=name,
        figure=what,
        unit="records/CPU-s",
        value=rate,
        must=0.6,
        aim=0.8,
        better="higher",
        judged="ratio",
        yardstick=Yardstick(what="the bare prototype", unit="records/CPU-s", value=bare_rate, ours=rate),
        detail={
            "records": len(measured),
            "marks_share": sum(b".clock." in item.value for item in measured) / len(measured),
            "agents": load.size.agents,
            "boards": BOARDS,
            "us_a_record": 1e6 / rate,
            "bare_us_a_record": 1e6 / bare_rate,
            "facts_a_run": ours[-1].facts,
            "deltas_a_run": ours[-1].deltas,
            "bare_deltas_a_run": theirs[-1].deltas,
            "runs": [run.rate for run in ours],
            "bare_runs": [run.rate for run in theirs],
        },
    )
