"""P14: the memory of a monitor with ten thousand agents, five thousand calls and a thousand boards.

A quarter of an hour of theirs, with `--long` a whole one, goes by at full speed. The child holds the whole service as it is
imported, its engine, its feed with a thousand connections, and encodes every fact; only the network is left out. A
batch is less than half a second of the floor's time, and the boards get its delta before the next: by the wall clock's 50 ms a
delta would hold seconds of it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry

from services.monitor.app import route
from services.monitor.core.engine import Engine
from services.monitor.feed.hub import Hub
from services.monitor.metrics import FeedMetrics
from services.monitor.rulefile import load_rulebook
from shared.clock import SystemClock
from shared.codec import decode_event
from shared.sites import load_sites
from tests.bench import brokers
from tests.bench.children import Child, child, say, wait_for_go
from tests.bench.figures import Figure, Scale, Yardstick
from tests.bench.floors import LARGE, SMALL, Load
from tests.bench.monitor import RULES, SITES
from tests.bench.prototype import Prototype
from tests.feedkit import Sink

BOARDS: Final = 1000
FLAT: Final = 1.10  # end against start; the floor's own ups and downs are a few per cent
_MARK_S: Final = 1.0
_STEP_S: Final = 60.0
_WARM_S: Final = 300.0
_BATCH: Final = 500
_TURNS: Final = 3  # of the loop, until every board has taken what it was given
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Task(Struct, frozen=True):
    boards: int


class Sample(Struct, frozen=True):
    """After one step: resident megabytes, and what the floor holds."""

    rss_mb: float
    records: int
    agents: int
    calls: int


class End(Struct, frozen=True):
    samples: list[Sample]
    apply_s: float
    collect_ms: float  # one full collection over everything


def rss_mb() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as found:
        return int(found.read().split()[1]) * _PAGE / 1e6


def _steps() -> Iterator[list[bytes]]:
    """What the parent writes: records of one step after the other, until an empty one."""
    wait_for_go()
    while True:
        size = int.from_bytes(sys.stdin.buffer.read(4), "big")
        if not size:
            return
        yield msgspec.msgpack.decode(sys.stdin.buffer.read(size), type=list[bytes])


def monitor(task: Task) -> None:
    """A child: engine and feed."""
    asyncio.run(_monitor(task))


async def _monitor(task: Task) -> None:
    engine = Engine(load_sites(SITES), load_rulebook(RULES))
    hub = Hub(engine, SystemClock(), FeedMetrics.on(CollectorRegistry()))
    for _ in range(task.boards):
        board = hub.join(Sink())
        assert board is not None
        hub.subscribe(board)
    samples, began, applied = [], time.process_time(), 0
    for records in _steps():
        feed = iter(records)
        while batch := tuple(islice(feed, _BATCH)):
            facts = [fact for value in batch for fact in engine.apply(decode_event(value))]
            for fact in facts:
                route(fact)
            hub.on_batch(facts)
            hub.flush()
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        applied += len(records)
        view = engine.floor_view() if not samples else None
        agents, calls = (len(view.agents), len(view.calls)) if view else (samples[0].agents, samples[0].calls)
        del view
        samples.append(Sample(rss_mb(), applied, agents, calls))
    used, collecting = time.process_time() - began, time.perf_counter()
    gc.collect()
    collect_ms = (time.perf_counter() - collecting) * 1000
    say(End(samples, used, collect_ms))


def bare(task: Task) -> None:
    """A child: the prototype, which has neither feed nor rules, after the same hour."""
    prototype, samples, began = Prototype(), [], time.process_time()
    for records in _steps():
        for number, value in enumerate(records):
            prototype.feed(value)
            if number % _BATCH == 0:
                prototype.flush()
        samples.append(Sample(rss_mb(), prototype.applied, len(prototype.agents), len(prototype.calls)))
    used, collecting = time.process_time() - began, time.perf_counter()
    gc.collect()
    say(End(samples, used, (time.perf_counter() - collecting) * 1000))


async def _feed(one: Child, load: Load, seconds: float) -> End:
    await one.ready()
    one.go()
    await _write(one, [item.value for item in load.opening()])
    for _ in range(round(seconds / _STEP_S)):
        await _write(one, [item.value for item in load.run(_STEP_S)])
    await _write(one, None)
    return msgspec.convert(await one.hear(), End)


async def _write(one: Child, records: list[bytes] | None) -> None:
    packed = b"" if records is None else msgspec.msgpack.encode(records)
    assert one.process.stdin is not None
    one.process.stdin.write(len(packed).to_bytes(4, "big"))
    one.process.stdin.write(packed)
    await one.process.stdin.drain()


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P14: the largest resident memory, and whether it stays."""
    quick = scale == "quick"
    size = SMALL if quick else LARGE
    lasts_s = {"quick": 180.0, "usual": 900.0, "long": 3600.0}[scale]
    boards = 10 if quick else BOARDS
    async with child(monitor, Task(boards), patience_s=900) as one:
        ours = await _feed(one, Load(size, mark_s=_MARK_S), lasts_s)
    async with child(bare, Task(0)) as one:
        theirs = await _feed(one, Load(size, mark_s=_MARK_S), min(lasts_s, _WARM_S))
    samples = ours.samples[1:]
    start, end = samples[min(len(samples) - 1, int(_WARM_S / _STEP_S))], samples[-1]
    peak = max(sample.rss_mb for sample in samples)
    growing = end.rss_mb > start.rss_mb * FLAT
    return Figure(
        id="P14",
        figure="memory",
        unit="MB",
        value=peak,
        must=300,
        aim=150,
        better="lower",
        broken=(f"it grew from {start.rss_mb:.0f} to {end.rss_mb:.0f} MB",) if growing else (),
        yardstick=Yardstick(
            what="the bare prototype without boards", unit="MB", value=theirs.samples[-1].rss_mb, ours=peak
        ),
        detail={
            "start_mb": start.rss_mb,
            "end_mb": end.rss_mb,
            "peak_mb": peak,
            "hours": lasts_s / 3600,
            "agents": samples[0].agents,
            "calls": samples[0].calls,
            "boards": boards,
            "records": end.records,
            "records_a_cpu_second": end.records / ours.apply_s,
            "full_collection_ms": ours.collect_ms,
            "bare_full_collection_ms": theirs.collect_ms,
        },
    )
