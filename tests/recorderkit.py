"""Records of `floor.records` by hand, and the alerts service's recorder at work on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import text

from services.alerts.recorder.metrics import RecorderMetrics
from services.alerts.recorder.reading import read
from services.alerts.recorder.recorder import Recorder
from services.alerts.tables import PositionRow
from shared import facts
from shared.bus import Bus, Record
from shared.clock import SystemClock
from shared.codec import encode
from shared.db import Database
from shared.intake import Item
from shared.memorybus import MemoryBus
from shared.positions import Positions
from shared.siteconfig import SiteConfig, Sites
from shared.topics import FLOOR_RECORDS
from tests.floorkit import SITE, at

SITES = Sites({SITE: SiteConfig(time_zone="Europe/Copenhagen")}, SiteConfig(time_zone="Asia/Shanghai"))


def interval(agent_id: str = "1", start: float = 0, end: float = 60, state: str = "talk", **more: Any) -> Any:
    """An agent in one state from second `start` to `end`."""
    values: dict[str, Any] = {"agent_id": agent_id, "state": state, "started_at": at(start), "ended_at": at(end)}
    return facts.AgentInterval(**{**values, "duration_s": end - start, "provenance": "observed", **more})


def queue_interval(queue: str = "sales", number: int = 0, **more: Any) -> Any:
    """A queue's quarter of an hour: 10 offered, 8 answered, 6 of them in time, 2 abandoned, one of them at once."""
    start = at(900 * number)
    values: dict[str, Any] = {
        "queue": queue,
        "started_at": start,
        "ended_at": start + timedelta(minutes=15),
        "counted_from": start,
        "offered": 10,
        "answered": 8,
        "abandoned": 2,
        "short_abandoned": 1,
        "other_ended": 0,
        "answered_within": 6,
        "abandoned_within": 1,
        "wait_answered_s": 96.5,
        "wait_abandoned_s": 40.25,
        "longest_waited_s": 37.5,
        "handled": 8,
        "talk_s": 800.0,
        "hold_s": 80.0,
        "wrap_s": 160.0,
        "handling_s": 1040.0,
        "ready_s": 500.0,
        "transfers": 1,
        "within_s": 20.0,
        "short_abandon_s": 5.0,
        "service_levels": {},
    }
    return facts.QueueInterval(**values | more)


def fact_of(data: Any, offset: int = -1, index: int = 0, site: str = SITE, **more: Any) -> facts.Fact:
    """`data` as the monitor publishes it, caused by the raw record at `offset`."""
    if isinstance(data, facts.CallEnded):
        name = f"call:{data.call_id}:1"
    elif isinstance(data, facts.TransferEnded):
        name = f"transfer:{data.transfer_id}"
    elif isinstance(data, facts.QueueInterval):
        name = f"queue:{data.queue}:{data.counted_from.timestamp()}:{data.ended_at.timestamp()}"
    else:
        name = f"interval:{data.agent_id}:{data.started_at.timestamp()}"
    place = {"rawpartition": 0 if offset >= 0 else -1, "rawoffset": offset, "rawindex": index}
    return facts.make(data, id=f"{site}:{name}", source="/monitor", site=site, time=data.ended_at, **place, **more)


async def publish(bus: Bus, *found: Any) -> None:
    """Facts, what they carry, or bytes, to `floor.records`."""
    for one in found:
        fact = one if isinstance(one, facts.Fact | bytes) else fact_of(one)
        value = fact if isinstance(fact, bytes) else encode(fact)
        await bus.publish(FLOOR_RECORDS, value, key=fact.site if isinstance(fact, facts.Fact) else SITE)
    await bus.flush()


class Recording:
    """A recorder at work."""

    def __init__(self, bus: MemoryBus, database: Database, sites: Sites, keep: timedelta | None) -> None:
        self.bus, self.database = bus, database
        self.registry = CollectorRegistry()
        self.recorder = Recorder(
            bus=bus,
            database=database,
            clock=SystemClock(),
            sites=sites,
            metrics=RecorderMetrics(self.registry),
            keep=lambda: keep,
            rest_s=0.0,
        )

    async def caught_up(self) -> bool:
        """Whether everything on the bus is in the database."""
        async with self.database.reading() as session:
            found = await Positions(session, PositionRow).all(FLOOR_RECORDS.name)
        return sum(one.next_offset for one in found.values()) == len(self.bus.records(FLOOR_RECORDS))

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def recording(
    bus: MemoryBus, database: Database, *, sites: Sites = SITES, keep: timedelta | None = None
) -> AsyncIterator[Recording]:
    """A recorder that runs."""
    found = Recording(bus, database, sites, keep)
    task = asyncio.create_task(found.recorder.run())
    try:
        yield found
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def recorder_of(database: Database, sites: Sites = SITES) -> Recorder:
    """One that reads no topic: `take` is called by hand."""
    return Recording(MemoryBus(), database, sites, None).recorder


def items_of(found: Iterable[facts.Fact], first: int = 0, written: datetime | None = None) -> list[Item[Any]]:
    """Facts as the recorder's intake hands them over, from offset `first` of the topic on."""
    stamp = written or SystemClock().now()
    items = []
    for offset, one in enumerate(found, first):
        record = Record(FLOOR_RECORDS.name, 0, offset, one.site.encode(), encode(one), (), stamp)
        items.append(Item(record, read(record)))
    return items


async def rows(database: Database, sql: str) -> list[Any]:
    async with database.reading() as session:
        return [tuple(row) for row in await session.execute(text(sql))]
