"""P3: ten thousand agents, ten times their ordinary load, for a minute: nothing lost, and how old a change is on the feed.

Age is counted from the moment at which the record was to be sent, so that a sender that stalls hides nothing, to the moment
at which the delta that holds the change is encoded. Ordinary is what the simulated floor says: some 1100 events a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from aiokafka import AIOKafkaConsumer
from msgspec import Struct

from shared import events, topics
from shared.codec import decode_event
from shared.events import Event
from shared.facts import Fact
from shared.kafka import KafkaBus
from tests.bench import brokers
from tests.bench.children import Child, child, say, wait_for_go
from tests.bench.figures import Figure, Scale, Yardstick, percentile
from tests.bench.floors import LARGE, SMALL, START, Item, Load
from tests.bench.monitor import Bench
from tests.bench.prototype import Prototype
from tests.bench.throughput import BOARDS, reading, write

FLUSH_S: Final = 0.05
FASTER: Final = 10.0
MANY: Final = 45.0  # times the ordinary load: 50 000 a second
_BEHIND_MOST_S: Final = 30.0


class Task(Struct, frozen=True):
    """`opening` records first; then those that are sent at `base`, by the wall clock, plus their floor time over `speed`."""

    bootstrap: str
    idempotent: bool
    opening: int
    records: int
    speed: float


class Ages(Struct, frozen=True):
    """Seconds from when each event was to be sent to when its delta was encoded."""

    applied: int
    p50_s: float
    p99_s: float
    max_s: float
    cpu_s: float


class Witness:
    """Notes events as they are applied, and how old they are when the next delta holds them."""

    def __init__(self, speed: float) -> None:
        self.base = 0.0
        self.ages: list[float] = []
        self._speed = speed
        self._pending: list[float] = []

    def applied(self, event: Event) -> None:
        if type(event.data) is not events.Clock and self.base:
            self._pending.append((event.time - START).total_seconds())

    def encoded(self) -> None:
        now = (time.time() - self.base) * self._speed
        self.ages += [(now - due) / self._speed for due in self._pending]
        self._pending.clear()

    def found(self, applied: int, cpu_s: float) -> Ages:
        return Ages(applied, percentile(self.ages, 0.5), percentile(self.ages, 0.99), max(self.ages), cpu_s)


def monitor(task: Task) -> None:
    """A child: the real monitor."""
    asyncio.run(_monitor(task))


async def _monitor(task: Task) -> None:
    bus = KafkaBus(task.bootstrap, idempotent=task.idempotent)
    bench, witness = Bench(bus, boards=BOARDS), Witness(task.speed)
    _watch(bench, witness)
    await bench.start()
    await bench.applied(task.opening)
    witness.base = wait_for_go()
    began = time.process_time()
    await bench.applied(task.opening + task.records)
    bench.monitor.hub.flush()
    used = time.process_time() - began
    await bus.flush()
    say(witness.found(bench.records("applied") - task.opening, used))
    await bench.stop()


def _watch(bench: Bench, witness: Witness) -> None:
    """Let `witness` see what the engine applies and what the feed encodes."""
    engine, hub = bench.monitor.engine, bench.monitor.hub
    apply: Callable[[Event], list[Fact]] = engine.apply
    flush: Callable[[], None] = hub.flush

    def seen(event: Event) -> list[Fact]:
        witness.applied(event)
        return apply(event)

    def flushed() -> None:
        flush()
        witness.encoded()

    engine.apply, hub.flush = seen, flushed  # type: ignore[method-assign]


def bare(task: Task) -> None:
    """A child: the prototype."""
    asyncio.run(_bare(task))


async def _bare(task: Task) -> None:
    async with reading(task.bootstrap, wait_ms=20) as consumer:
        prototype, witness = Prototype(), Witness(task.speed)
        await _follow(consumer, prototype, witness, task.opening)
        witness.base = wait_for_go()
        began = time.process_time()
        await _follow(consumer, prototype, witness, task.opening + task.records)
        say(witness.found(prototype.applied - task.opening, time.process_time() - began))


async def _follow(consumer: AIOKafkaConsumer, prototype: Prototype, witness: Witness, until: int) -> None:
    flush_at = time.monotonic() + FLUSH_S
    while prototype.applied < until:
        found = await consumer.getmany(timeout_ms=10, max_records=2000)  # type: ignore[no-untyped-call]
        for batch in found.values():
            for record in batch:
                witness.applied(decode_event(record.value))
                prototype.feed(record.value)
        if time.monotonic() >= flush_at or prototype.applied >= until:
            prototype.flush()
            witness.encoded()
            flush_at = time.monotonic() + FLUSH_S


async def send(bus: KafkaBus, items: Iterable[Item], base: float, speed: float) -> float:
    """Send each record at its time; the most that one was late for want of a turn."""
    late = 0.0
    for item in items:
        due = base + item.due_s / speed
        wait = due - time.time()
        if wait > 0:
            await asyncio.sleep(max(wait, 0.002))  # some at a time, as they lie in a socket
        late = max(late, time.time() - due)
        await bus.publish(topics.FLOOR_EVENTS, item.value, key=item.site)
    await bus.flush()
    return late


async def _stage(
    kind: brokers.Kind, opening: list[Item], items: list[Item], speed: float, *, prototype: bool
) -> tuple[Ages, float]:
    with brokers.broker(kind) as at:
        await write(at, opening)
        task = Task(at.bootstrap, at.idempotent, len(opening), len(items), speed)
        bus = KafkaBus(at.bootstrap, idempotent=at.idempotent)
        async with child(bare if prototype else monitor, task, patience_s=120 + _BEHIND_MOST_S) as one:
            await one.ready()
            base = time.time() + 0.2
            one.tell(base)
            late = await send(bus, items, base, speed)
            found = await _end(one)
        await bus.close()
    return found, late


async def _end(one: Child) -> Ages:
    return Ages(**await one.hear())


def _load(quick: bool, speed: float, seconds: float) -> tuple[list[Item], list[Item]]:
    load = Load(SMALL if quick else LARGE, speed=speed)
    opening = list(load.opening())
    return opening, sorted(load.run(seconds * speed), key=lambda item: item.due_s)  # sites side by side


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P3: the age of a change on the feed, 99 of 100."""
    quick = scale == "quick"
    lasts = 2.0 if quick else 60.0
    opening, items = _load(quick, FASTER, lasts)
    ours, late = await _stage(kind, opening, items, FASTER, prototype=False)
    few = [item for item in items if item.due_s <= FASTER * min(lasts, 15.0)]
    theirs, _ = await _stage(kind, opening, few, FASTER, prototype=True)
    lost = len(items) - ours.applied
    return Figure(
        id="P3",
        figure="burst ×10, p99",
        unit="ms",
        value=ours.p99_s * 1000,
        must=FLUSH_S * 1000 + 100,
        aim=130,
        better="lower",
        broken=(f"{lost} of {len(items)} records were lost",) if lost else (),
        yardstick=Yardstick(
            what="the bare prototype with the same flush",
            unit="ms",
            value=theirs.p99_s * 1000,
            ours=ours.p99_s * 1000,
        ),
        detail={
            "records": len(items),
            "records_a_second": len(items) / lasts,
            "lasts_s": lasts,
            "lost": lost,
            "p50_ms": ours.p50_s * 1000,
            "max_ms": ours.max_s * 1000,
            "bare_p50_ms": theirs.p50_s * 1000,
            "monitor_cpu": ours.cpu_s / lasts,
            "sender_late_ms": late * 1000,
        },
    )
