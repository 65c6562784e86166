"""Any interleaving of what is written, of publishers that stop anywhere, and of others that take over: every line is published,
an incident's in their order, with no gap.
"""

from __future__ import annotations

import asyncio
import contextlib
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.alerts.app import MIGRATIONS, AlertsService
from services.alerts.core.lifecycle import noted
from services.alerts.publishing.publisher import LASTING, Publisher
from shared.bus import Headers
from shared.clock import FakeClock
from shared.db import Database
from shared.errors import BusError
from shared.incidentfacts import decode_incident
from shared.memorybus import MemoryBus
from shared.topics import INCIDENTS, Topic
from tests import alertskit
from tests.databases import BOTH, examples, own_database
from tests.flagkit import T0, flag

INCIDENTS_OF = 3
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, INCIDENTS_OF)),
        st.tuples(st.just("publish"), st.integers(0, 1)),
        st.tuples(st.just("dies while sending"), st.integers(0, 4)),
        st.tuples(st.just("dies before it is marked"), st.integers(0, 1)),
        st.tuples(st.just("the broker is away"), st.integers(0, 1)),
    ),
    max_size=14,
)


class Dies(Exception):
    """The process ends here."""


class Fragile(MemoryBus):
    """A broker whose client may die after so many records, or before the flush returns."""

    left = 10**9
    marked = True

    async def publish(self, topic: Topic, value: bytes, *, key: str, headers: Headers = ()) -> None:
        if self.left <= 0:
            raise Dies
        self.left -= 1
        await super().publish(topic, value, key=key, headers=headers)

    async def flush(self) -> None:
        await super().flush()
        if not self.marked:
            raise Dies


@pytest.mark.parametrize("kind", BOTH)
@given(steps=STEPS)
@settings(max_examples=examples(20))
def test_every_line_is_published_in_its_order_whatever_dies_in_between(kind: str, steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        async with own_database(kind, MIGRATIONS) as database:
            await _played(database, steps)

    asyncio.run(play())


async def _played(database: Database, steps: list[tuple[str, int]]) -> None:
    clock = FakeClock(T0)
    bus = Fragile(clock)
    await bus.create([INCIDENTS])
    service = AlertsService(alertskit.settings(), bus=bus, database=database, clock=clock, sites=alertskit.SITES)
    for number in range(INCIDENTS_OF):
        await service.desk.raise_own([flag(f"f{number}", subject_id=f"t{number}")])

    def publisher() -> Publisher:
        return Publisher(bus=bus, database=database, clock=clock, more=asyncio.Event(), registry=CollectorRegistry())

    two = [publisher(), publisher()]
    for what, which in steps:
        if what == "write":
            await service.desk.act(which, lambda one, now: noted(one, "li", "a line", now))
        elif what == "publish":
            await _tried(two[which])
        elif what == "the broker is away":
            bus.break_down()
            await _tried(two[which])
            bus.recover()
        else:
            bus.left, bus.marked = (which, True) if what == "dies while sending" else (10**9, False)
            try:
                await _tried(two[which % 2])
            except Dies:
                two[which % 2] = publisher()  # started again, it does not know that it was the one
            bus.left, bus.marked = 10**9, True
            if which:
                clock.pause(LASTING.total_seconds() + 1)
    clock.pause(LASTING.total_seconds() + 1)
    await _tried(two[0])  # which may hear only now of what could not be sent
    while await two[0].publish():
        pass
    async with database.reading() as session:
        found = await (await session.connection()).exec_driver_sql(
            "SELECT incident_id, seq FROM incident_events ORDER BY incident_id, seq"
        )
        written = [tuple(row) for row in found.all()]
    said = [decode_incident(record.value).data for record in bus.records(INCIDENTS)]
    assert sorted({(one.number, one.seq) for one in said}) == written
    for _number, lines in groupby(sorted(said, key=lambda one: one.number), key=lambda one: one.number):
        highest = 0
        for line in lines:  # sorting is stable: in the order in which they were published
            assert line.seq <= highest + 1  # a reader that drops what it has passed misses nothing
            highest = max(highest, line.seq)


async def _tried(publisher: Publisher) -> None:
    with contextlib.suppress(BusError):
        await publisher.publish()
