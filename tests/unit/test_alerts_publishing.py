"""The topic `incidents`: every line of every history, once at least, an incident's in their order, whatever fails in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import event

from services.alerts.app import AlertsService
from services.alerts.core.incident import Flag
from services.alerts.publishing.lines import Lines
from services.alerts.publishing.publisher import LASTING, Publisher
from services.alerts.tables import EventRow
from shared.clock import FakeClock
from shared.db import Database
from shared.errors import BusError
from shared.incidentfacts import IncidentFact, decode_incident
from shared.memorybus import MemoryBus
from shared.topics import INCIDENTS
from tests.alertskit import SITES, TOPICS, Alerts, publish, running, settings
from tests.flagkit import CALLER, T0, clearing, flag
from tests.queryplans import read_whole
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.create(TOPICS)
    return bus


def published(bus: MemoryBus) -> list[IncidentFact]:
    return [decode_incident(record.value) for record in bus.records(INCIDENTS)]


def publisher(bus: MemoryBus, database: Database, clock: FakeClock, holder: str) -> Publisher:
    return Publisher(
        bus=bus, database=database, clock=clock, more=asyncio.Event(), registry=CollectorRegistry(), holder=holder
    )


async def lines_of(alerts: Alerts, number: int) -> list[Any]:
    timeline: list[Any] = (await alerts.get(f"/incidents/{number}"))["timeline"]
    return timeline


async def test_every_line_of_a_history_is_published_with_the_state_after_it(
    bus: MemoryBus, alerts_db: Database
) -> None:
    async with running(bus, alerts_db) as alerts:
        await publish(bus, flag())
        await until(lambda: bool(bus.records(INCIDENTS)))
        (incident,) = await alerts.incidents()
        number = incident["id"]
        await alerts.post(f"/incidents/{number}/acknowledge", {"by": "emma", "note": f"she rang from {CALLER}"})
        await publish(bus, clearing())
        await until(lambda: any(one.data.kind == "flag_cleared" for one in published(bus)))
        await alerts.post(f"/incidents/{number}/resolve", {"by": "emma", "note": "", "cause": "phone replaced"})
        await alerts.post(f"/incidents/{number}/reopen", {"by": "li", "note": "not over"})
        await until(lambda: any(one.data.kind == "reopened" for one in published(bus)))

        facts = published(bus)
        told = await lines_of(alerts, number)
        assert [one.data.seq for one in facts] == list(range(1, len(told) + 1))
        assert [(one.data.kind, one.data.by) for one in facts] == [(one["kind"], one["by"]) for one in told]
        assert [one.id for one in facts] == [f"incident/{number}/{seq}" for seq in range(1, len(told) + 1)]
        after = {one.data.kind: (one.data.state, one.data.owner) for one in facts}
        assert after["opened"] == ("open", "")
        assert after["acknowledged"] == after["flag_cleared"] == ("acknowledged", "emma")
        assert after["resolved"] == ("resolved", "emma")
        assert after["reopened"] == ("open", "")
        assert {one.site for one in facts} == {"s1"}
        assert CALLER not in "".join(record.value.decode() for record in bus.records(INCIDENTS))
        assert alerts.metric("alerts_lines_unpublished") == 0
        assert alerts.metric("alerts_lines_published_total") == len(told)


async def test_while_the_broker_is_away_lines_wait_and_none_is_lost(alerts_db: Database) -> None:
    clock = FakeClock(T0)
    bus = MemoryBus(clock)
    await bus.create([*TOPICS, INCIDENTS])
    await incidents(alerts_db, bus, flag())
    mine = publisher(bus, alerts_db, clock, "a")
    bus.break_down()
    with pytest.raises(BusError):
        await mine.publish()
    bus.recover()
    assert await mine.publish() > 0
    kinds = [one.data.kind for one in published(bus)]
    assert kinds[0] == "opened"
    assert kinds.count("opened") == 1
    assert await mine.publish() == 0


async def test_one_instance_publishes_and_another_takes_over_when_it_dies(alerts_db: Database) -> None:
    clock = FakeClock(T0)
    bus = MemoryBus(clock)
    await bus.create([*TOPICS, INCIDENTS])
    one, other = publisher(bus, alerts_db, clock, "a"), publisher(bus, alerts_db, clock, "b")
    await incidents(alerts_db, bus, flag())
    assert await one.publish() > 0
    async with alerts_db.unit_of_work() as session:
        session.add(EventRow(incident_id=1, seq=50, at=T0, kind="note", by="li"))
    assert await other.publish() == 0  # it is the other's
    clock.pause(LASTING.total_seconds() + 1)  # which says nothing any more
    assert await other.publish() == 1
    async with alerts_db.unit_of_work() as session:
        session.add(EventRow(incident_id=1, seq=51, at=T0, kind="note", by="li"))
    assert await one.publish() == 0  # and when the first one goes on, it is not its turn any more
    assert await other.publish() == 1


async def test_a_line_that_is_committed_later_than_one_with_a_higher_row_number_is_not_skipped(
    alerts_db: Database,
) -> None:
    """Two transactions number their rows and commit in the other order, as only PostgreSQL lets them."""
    if alerts_db.url.get_backend_name() != "postgresql":
        pytest.skip("one transaction writes at a time")
    clock = FakeClock(T0)
    bus = MemoryBus(clock)
    await bus.create([*TOPICS, INCIDENTS])
    await incidents(alerts_db, bus, flag("f1"), flag("f2", subject_id="t2"))
    mine = publisher(bus, alerts_db, clock, "a")
    await mine.publish()
    before = len(published(bus))
    async with alerts_db.unit_of_work() as slow:
        late = EventRow(incident_id=1, seq=60, at=T0, kind="note", by="slow")
        slow.add(late)
        await slow.flush()
        async with alerts_db.unit_of_work() as quick:
            early = EventRow(incident_id=2, seq=60, at=T0, kind="note", by="quick")
            quick.add(early)
        assert (early.id or 0) > (late.id or 0)
        assert await mine.publish() == 1
    assert await mine.publish() == 1
    assert [one.data.by for one in published(bus)[before:]] == ["quick", "slow"]


async def test_what_waits_is_found_by_its_index(alerts_db: Database) -> None:
    """A history of years must not be read each time."""
    asked: list[str] = []
    event.listen(alerts_db.engine.sync_engine, "before_cursor_execute", lambda *found: asked.append(found[2]))
    async with alerts_db.reading() as session:
        await Lines(session).count()
        statement = next(one for one in asked if "incident_events" in one)
        assert await read_whole(await session.connection(), statement, ()) == []


async def test_a_line_too_long_for_the_topic_is_told_without_its_details(alerts_db: Database) -> None:
    clock = FakeClock(T0)
    bus = MemoryBus(clock)
    await bus.create([*TOPICS, INCIDENTS])
    await incidents(alerts_db, bus, flag())
    async with alerts_db.unit_of_work() as session:
        long = {"text": "x" * 1_100_000}
        session.add(EventRow(incident_id=1, seq=70, at=T0, kind="note", by="li", note="y" * 2000, data=long))
    await publisher(bus, alerts_db, clock, "a").publish()
    data = published(bus)[-1].data
    assert (data.seq, data.details, data.note) == (70, {}, "y" * 1000)


async def incidents(database: Database, bus: MemoryBus, *flags: Flag) -> None:
    """Incidents 1, 2, ... of a service whose own publisher does not run."""
    service = AlertsService(settings(), bus=bus, database=database, clock=FakeClock(T0), sites=SITES)
    for one in flags:
        await service.desk.raise_own([one])
