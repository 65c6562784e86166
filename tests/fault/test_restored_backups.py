"""A database of yesterday behind the Kafka of today: what was read since is read again, and nothing is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.alerts.app import AlertsService
from services.alerts.intake import read as read_flag
from services.alerts.repositories import Positions as AlertsPositions
from services.monitor.desk.tables import PositionRow
from shared.bus import Record
from shared.clock import SystemClock
from shared.db import Database
from shared.intake import Item
from shared.memorybus import MemoryBus
from shared.positions import Positions
from shared.topics import FLOOR_FLAGS, FLOOR_RECORDS, SWITCH_DEAD_LETTER, Topic
from tests import alertskit, recorderkit
from tests.databases import backup_of
from tests.deskkit import call_ended, fact_bytes, record, serving_desk, transfer_ended
from tests.fault.alerting import expected, flags
from tests.flagkit import clearing
from tests.waiting import until

pytest_plugins = ("tests.alertsdb", "tests.monitordb")
pytestmark = pytest.mark.fault


@pytest.fixture
async def bus() -> MemoryBus:
    made = MemoryBus()
    await made.create(alertskit.TOPICS)
    return made


async def rows(database: Database, sql: str) -> list[Any]:
    async with database.reading() as session:
        return sorted((tuple(row) for row in await session.execute(text(sql))), key=repr)


async def has_read(database: Database, positions: Any, bus: MemoryBus, *topics: Topic) -> bool:
    """Whether everything that is on the topics is in the database."""
    async with database.reading() as session:
        for topic in topics:
            found = await positions(session).all(topic.name)
            if sum(one.next_offset for one in found.values()) != len(bus.records(topic)):
                return False
    return True


# ---------------------------------------------------------------- the monitor's


async def desk_reads(database: Database, bus: MemoryBus) -> None:
    async with serving_desk(database, records=bus):
        await until(lambda: has_read(database, lambda s: Positions(s, PositionRow), bus, FLOOR_RECORDS), "all is read")


async def test_the_desk_catches_up_from_an_older_database_without_a_second_row(
    monitor_db: Database, bus: MemoryBus, tmp_path: Path
) -> None:
    def day(first: int, last: int) -> list[bytes]:
        found = [fact_bytes(transfer_ended(f"t{n}", second=n), offset=3 * n) for n in range(first, last)]
        return found + [fact_bytes(call_ended(f"c{n}", second=n), offset=3 * n + 1) for n in range(first, last)]

    await record(bus, *day(0, 20))
    await desk_reads(monitor_db, bus)
    async with backup_of(monitor_db, tmp_path) as backup:
        late = fact_bytes(transfer_ended("t3", second=3, took=9.0), offset=200)  # put right after the backup
        await record(bus, *day(20, 50), late)
        await desk_reads(monitor_db, bus)
        await record(bus, *day(50, 60))  # what nobody has read yet
        for database in (monitor_db, backup):
            await desk_reads(database, bus)
        for sql in ("SELECT transfer_id, outcome, took_us FROM transfers", "SELECT fact_id, call_id FROM calls"):
            found = await rows(backup, sql)
            assert found == await rows(monitor_db, sql)
            assert len(found) == 60
        assert await rows(backup, "SELECT took_us FROM transfers WHERE transfer_id = 't3'") == [(9_000_000,)]
    assert bus.records(SWITCH_DEAD_LETTER) == []


# ---------------------------------------------------------------- that of alerts

RECORDED = (
    "SELECT interval_id, agent_id, started_at, ended_at, state FROM agent_intervals",
    "SELECT queue, counted_from, ended_at, offered, answered FROM queue_intervals",
)


async def alerts_read(database: Database, bus: MemoryBus) -> Counter[str]:
    """Incidents about each transfer, once everything was read."""
    async with alertskit.running(bus, database):
        await until(lambda: has_read(database, AlertsPositions, bus, FLOOR_FLAGS, FLOOR_RECORDS), "all is read")
    return Counter(name for (name,) in await rows(database, "SELECT subject_id FROM incidents WHERE site = 's1'"))


async def poured(bus: MemoryBus, numbers: Sequence[int]) -> None:
    """Of each number a flag, an interval of an agent and one of a queue."""
    await alertskit.publish(bus, *flags(numbers))
    intervals = [recorderkit.fact_of(recorderkit.interval("1", 60 * n, 60 * n + 60), offset=2 * n) for n in numbers]
    queues = [recorderkit.fact_of(recorderkit.queue_interval(number=n), offset=2 * n + 1) for n in numbers]
    for pair in zip(intervals, queues, strict=True):
        await recorderkit.publish(bus, *pair)


async def test_alerts_catch_up_from_an_older_database_without_a_second_incident_or_sum(
    alerts_db: Database, bus: MemoryBus, tmp_path: Path
) -> None:
    await poured(bus, range(10))
    assert await alerts_read(alerts_db, bus) == expected(range(10))
    async with backup_of(alerts_db, tmp_path) as backup:
        await poured(bus, range(10, 25))
        await alertskit.publish(bus, clearing("f3"), clearing("f12"))
        assert await alerts_read(alerts_db, bus) == expected(range(25))
        await poured(bus, range(25, 30))
        for database in (alerts_db, backup):
            assert await alerts_read(database, bus) == expected(range(30))
        for sql in (*RECORDED, "SELECT flag_id, cleared FROM flags WHERE site = 's1'"):
            found = await rows(backup, sql)
            assert found == await rows(alerts_db, sql)
            assert len(found) == 30
        sums = "SELECT * FROM agent_days"
        assert await rows(backup, sums) == await rows(alerts_db, sums) != []
        histories = await rows(backup, "SELECT incident_id, seq FROM incident_events")
        assert len(set(histories)) == len(histories)
    assert bus.records(SWITCH_DEAD_LETTER) == []


# ---------------------------------------------------------------- another instance that is further


async def test_an_instance_that_is_behind_takes_nothing_again_and_sets_nothing_back(
    alerts_db: Database, bus: MemoryBus
) -> None:
    """It read its batch before another one's transaction with more of it: a position that goes back has all read again."""
    await poured(bus, range(6))
    await alertskit.publish(bus, clearing("f3"))
    service = AlertsService(
        alertskit.settings(), bus=bus, database=alerts_db, clock=SystemClock(), sites=alertskit.SITES
    )
    reading: list[tuple[Topic, Any, Callable[[Record], Any]]] = [
        (FLOOR_FLAGS, service.pipeline, read_flag),
        (FLOOR_RECORDS, service.recorder, service.recorder.read),
    ]
    for topic, sink, read in reading:
        items = [Item(record, read(record)) for record in bus.records(topic)]
        await sink.take(items)
        before = await everything(alerts_db), await sink.positions()
        assert {place[0]: at.next_offset for place, at in before[1].items()} == {topic.name: len(items)}
        for late in (items[:3], items[2:5], items):
            await sink.take(late)
            assert (await everything(alerts_db), await sink.positions()) == before


async def everything(database: Database) -> list[Any]:
    tables = ("incidents", "incident_events", "flags", "messages", "agent_intervals", "queue_intervals", "agent_days")
    return [await rows(database, f"SELECT * FROM {table}") for table in tables]
