"""A machine that publishes incidents is suspended in the middle of it; another takes over; the first goes on and does not know.

Its monotonic clock may have stood still meanwhile (a suspended machine) or gone on (a paused process), its wall clock be behind.
Lines are then published twice, and never out of their order: who drops what he has passed reads each once.
"""

from __future__ import annotations

import asyncio
from typing import Final

import pytest
from prometheus_client import CollectorRegistry

from services.alerts.app import AlertsService
from services.alerts.core.lifecycle import noted
from services.alerts.publishing.publisher import Publisher
from shared.bus import Headers
from shared.clock import FakeClock
from shared.db import Database
from shared.incidentfacts import decode_incident
from shared.memorybus import MemoryBus
from shared.topics import INCIDENTS, Topic
from tests.alertskit import SITES, settings
from tests.flagkit import T0, flag

pytest_plugins = ("tests.alertsdb",)

GAP_S: Final = 600.0


class Shared(MemoryBus):
    """The broker as one of two machines has it: it stands still after `stands_after` records, until `goes_on`."""

    def __init__(self, broker: MemoryBus) -> None:
        super().__init__()
        self._broker = broker
        self.stands_after = 10**9
        self.stands, self.goes_on = asyncio.Event(), asyncio.Event()

    async def publish(self, topic: Topic, value: bytes, *, key: str, headers: Headers = ()) -> None:
        if self.stands_after == 0:
            self.stands.set()
            await self.goes_on.wait()
        self.stands_after -= 1
        await self._broker.publish(topic, value, key=key, headers=headers)

    async def create(self, topics: object, *, partitions: int = 1) -> None:
        await self._broker.create([INCIDENTS], partitions=partitions)

    async def flush(self) -> None:
        await self._broker.flush()


@pytest.mark.parametrize("stands_after", [0, 3])
@pytest.mark.parametrize("wakes", ["monotonic stood still", "monotonic went on", "wall clock of before"])
async def test_a_publisher_that_was_suspended_in_the_middle(wakes: str, stands_after: int, alerts_db: Database) -> None:
    broker = MemoryBus()
    clocks = [FakeClock(T0), FakeClock(T0)]
    buses = [Shared(broker), Shared(broker)]
    desk = AlertsService(settings(), bus=broker, database=alerts_db, clock=clocks[1], sites=SITES).desk
    first, second = (
        Publisher(
            bus=bus,
            database=alerts_db,
            clock=clock,
            more=asyncio.Event(),
            registry=CollectorRegistry(),
            holder=str(number),
        )
        for number, (bus, clock) in enumerate(zip(buses, clocks, strict=True))
    )

    async def write(text: str) -> None:
        for number in (1, 2):
            await desk.act(number, lambda one, now: noted(one, "li", text, now))

    for number in (1, 2):
        await desk.raise_own([flag(f"f{number}", subject_id=f"t{number}")])
    await write("before")
    buses[0].stands_after = stands_after
    asleep = asyncio.create_task(first.publish())
    await buses[0].stands.wait()

    clocks[1].pause(GAP_S)
    await write("meanwhile")
    assert await second.publish() > 0, "it takes over what has waited, and what came since"
    await write("after that")
    if wakes == "monotonic went on":
        clocks[0].pause(GAP_S)
    elif wakes == "monotonic stood still":
        clocks[0].set_by(GAP_S)
    buses[0].goes_on.set()
    buses[0].stands_after = 10**9
    await asleep
    for _ in range(3):
        await first.publish()
        await second.publish()
        await write("later")
        clocks[0].pause(20)
        clocks[1].pause(20)
    while await first.publish() or await second.publish():
        pass

    said = [decode_incident(record.value).data for record in broker.records(INCIDENTS)]
    async with alerts_db.reading() as session:
        rows = await (await session.connection()).exec_driver_sql("SELECT incident_id, seq FROM incident_events")
        written = sorted(tuple(row) for row in rows.all())
    assert sorted({(one.number, one.seq) for one in said}) == written
    highest = {1: 0, 2: 0}
    for one in said:
        assert one.seq <= highest[one.number] + 1, "a line came before the one before it"
        highest[one.number] = max(highest[one.number], one.seq)
