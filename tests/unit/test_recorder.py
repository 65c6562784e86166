"""From `floor.records` to rows and days: nothing lost, nothing doubled, the last word counts, whatever is away meanwhile."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from shared import db, facts
from shared.bus import Record
from shared.clock import SystemClock
from shared.codec import encode
from shared.db import Database
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_FLAGS, FLOOR_RECORDS, SWITCH_DEAD_LETTER
from tests.alertskit import migrated
from tests.deskkit import call_ended, transfer_ended
from tests.floorkit import SITE, at
from tests.recorderkit import fact_of, interval, publish, queue_interval, recording, rows
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

TOPICS = (FLOOR_FLAGS, FLOOR_RECORDS, SWITCH_DEAD_LETTER)
COUNTS = (
    "SELECT (SELECT count(*) FROM agent_intervals), (SELECT count(*) FROM call_records),"
    " (SELECT count(*) FROM queue_intervals), (SELECT count(*) FROM transfer_records)"
)
DAYS = "SELECT agent_id, state, sum(pieces), sum(lasted_us) FROM agent_days GROUP BY agent_id, state ORDER BY 1, 2"
CALLS = "SELECT agent_id, outcome, sum(calls), sum(waited_us), sum(talk_us) FROM call_days GROUP BY agent_id, outcome"


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.create(TOPICS)
    return bus


def one_of_each(number: int, second: float) -> list[facts.Fact]:
    """What a quarter of an hour may publish; positions grow with `number`."""
    found = [
        interval("1", second, second + 60),
        interval("2", second, second + 90.25, "break", reason="lunch"),
        call_ended(f"c{number}", second),
        transfer_ended(f"t{number}", second, 8.25, to_number="+4530123456"),
        queue_interval("sales", number),
    ]
    return [fact_of(data, number, index) for index, data in enumerate(found)]


async def test_each_record_is_a_row_and_adds_to_its_day(alerts_db: Database, bus: MemoryBus) -> None:
    async with recording(bus, alerts_db) as found:
        await publish(bus, *one_of_each(0, 0), *one_of_each(1, 900))
        await until(found.caught_up)
    assert await rows(alerts_db, COUNTS) == [(4, 2, 2, 2)]
    assert await rows(alerts_db, DAYS) == [("1", "talk", 2, 120_000_000), ("2", "break", 2, 180_500_000)]
    assert await rows(alerts_db, CALLS) == [("1", "answered", 2, 20_000_000, 120_000_000)]
    assert found.metric("alerts_records_total", kind="agent") == 4
    everything = await rows(alerts_db, "SELECT * FROM call_records") + await rows(
        alerts_db, "SELECT * FROM transfer_records"
    )
    assert "30123" not in str(everything)  # callers' numbers are masked
    assert str(everything).count("+••••••3456") == 4


async def test_an_interval_over_midnight_is_cut_where_the_day_of_the_site_ends(
    alerts_db: Database, bus: MemoryBus
) -> None:
    # the floor opened at 10:00 in Copenhagen: 14 hours later it is midnight there, on the night of 22 November
    start, end = 13 * 3600, 14 * 3600 + 600
    async with recording(bus, alerts_db) as found:
        await publish(bus, interval("1", start, end, "offline"))
        await until(found.caught_up)
    days = await rows(alerts_db, "SELECT CAST(day AS TEXT), lasted_us FROM agent_days ORDER BY day")
    assert days == [("2026-11-22", 3600 * 10**6), ("2026-11-23", 600 * 10**6)]


async def test_two_instances_and_what_replicas_repeat_count_once(alerts_db: Database, bus: MemoryBus) -> None:
    async with recording(bus, alerts_db) as one, recording(bus, alerts_db) as other:
        for number in range(40):
            values = one_of_each(number, number * 900)
            await publish(bus, *values, *values)
        await until(one.caught_up)
    assert await rows(alerts_db, COUNTS) == [(80, 40, 40, 40)]
    assert await rows(alerts_db, DAYS) == [("1", "talk", 40, 2_400_000_000), ("2", "break", 40, 3_610_000_000)]
    assert await rows(alerts_db, CALLS) == [("1", "answered", 40, 400_000_000, 2_400_000_000)]
    assert sum(each.metric("alerts_records_total", kind="call") for each in (one, other)) == 40
    assert bus.records(SWITCH_DEAD_LETTER) == []


async def test_the_last_word_counts_and_what_a_slow_replica_repeats_does_not(
    alerts_db: Database, bus: MemoryBus
) -> None:
    first, second = transfer_ended("t1", took=3.0), transfer_ended("t1", took=2.0, to_agent="3")
    talk, put_right = interval("1", 0, 60), interval("1", 0, 40, "hold")
    async with recording(bus, alerts_db) as found:
        for batch in ([(first, 10), (talk, 11)], [(second, 20), (put_right, 21)], [(first, 10), (talk, 11)]):
            await publish(bus, *(fact_of(data, offset) for data, offset in batch))
            await until(found.caught_up)
            await publish(bus, *(fact_of(data, offset) for data, offset in batch))
            await until(found.caught_up)
    assert await rows(alerts_db, "SELECT total_us, to_agent FROM transfer_records") == [(2_000_000, "3")]
    assert await rows(alerts_db, "SELECT state FROM agent_intervals") == [("hold",)]
    assert [row for row in await rows(alerts_db, DAYS) if row[2]] == [("1", "hold", 1, 40_000_000)]
    assert found.metric("alerts_records_passed_total") == 8


async def test_a_monitor_that_began_anew_in_the_middle_adds_nothing_to_what_is_recorded(
    alerts_db: Database, bus: MemoryBus
) -> None:
    """It heard the agent only from half of an interval on, and cuts elsewhere."""
    async with recording(bus, alerts_db) as found:
        await publish(bus, fact_of(interval("1", 0, 60), 5), fact_of(interval("1", 60, 90, "wrap"), 9))
        await publish(bus, fact_of(interval("1", 30, 60), 5), fact_of(interval("1", 60, 90, "wrap"), 9))
        await publish(bus, fact_of(interval("1", 90, 100, "ready"), 12))
        await until(found.caught_up)
    assert await rows(alerts_db, DAYS) == [
        ("1", "ready", 1, 10_000_000),
        ("1", "talk", 1, 60_000_000),
        ("1", "wrap", 1, 30_000_000),
    ]


async def test_positions_that_begin_anew_stop_nothing(alerts_db: Database, bus: MemoryBus) -> None:
    async with recording(bus, alerts_db) as found:
        await publish(bus, fact_of(interval("1", 0, 60), 5000))
        await publish(bus, fact_of(interval("1", 60, 90, "wrap"), 3), fact_of(interval("1", 90, 95, "ready"), 4))
        await until(found.caught_up)
    assert await rows(alerts_db, COUNTS) == [(3, 0, 0, 0)]


async def test_a_broker_that_came_back_empty_is_read_from_its_start_and_doubles_nothing(
    alerts_db: Database, bus: MemoryBus
) -> None:
    async with recording(bus, alerts_db) as found:
        await publish(bus, *one_of_each(1000, 0), *one_of_each(1001, 900))
        await until(found.caught_up)
    before = await rows(alerts_db, DAYS)
    bus.forget_everything()
    await bus.create(TOPICS)
    async with recording(bus, alerts_db) as found:
        # the same again by other positions, and something new
        again = [fact_of(one.data, 1, index) for index, one in enumerate(one_of_each(1000, 0))]
        await publish(bus, *again, fact_of(call_ended("new", 1800), 2))
        await until(lambda: found.metric("alerts_records_total", kind="call") == 1)
        await until(found.caught_up)
    assert await rows(alerts_db, DAYS) == before
    assert await rows(alerts_db, COUNTS) == [(4, 3, 2, 2)]


async def test_what_cannot_be_read_is_put_aside_and_the_rest_goes_on(alerts_db: Database, bus: MemoryBus) -> None:
    flag = facts.FlagCleared(flag_id="f", rule="r", subject="agent", subject_id="1", cleared_at=at(0), duration_s=1.0)
    naive = encode(fact_of(interval())).replace(
        b'"started_at":"2026-11-22T09:00:00Z', b'"started_at":"2026-11-22T09:00:00'
    )
    bad = [
        b"{",
        b'{"specversion":"1.0","type":"floorwatch.call_ended.v1","id":1}',
        encode(facts.make(flag, id="x", source="/m", site=SITE, time=at(0))),
        naive,
        encode(fact_of(interval("1", 60, 0))),
        encode(fact_of(interval("1", 0, 401 * 86_400))),
        encode(fact_of(queue_interval(talk_s=-1.0))),
        encode(fact_of(queue_interval(offered=2**40))),
        encode(fact_of(call_ended(waited_s=1e30))),
    ]
    async with recording(bus, alerts_db) as found:
        await publish(bus, *bad, interval("2", 0, 5))
        await until(found.caught_up)
    letters = bus.records(SWITCH_DEAD_LETTER)
    assert [letter.value for letter in letters] == bad
    assert [dict(letter.headers)["reason"].decode() for letter in letters] == [
        "not_json",
        "invalid_event",
        "not_a_record",
        "no_time_zone",
        *("no_duration",) * 5,
    ]
    assert await rows(alerts_db, DAYS) == [("2", "talk", 1, 5_000_000)]
    assert found.metric("alerts_records_dead_letters_total", reason="no_duration") == 5


async def test_a_text_that_no_database_holds_does_not_stop_it(alerts_db: Database, bus: MemoryBus) -> None:
    async with recording(bus, alerts_db) as found:
        await publish(bus, interval("1\x00", 0, 5, "break", reason="x" * 5000), interval("2", 0, 5))
        await until(found.caught_up)
    assert await rows(alerts_db, "SELECT agent_id, length(reason) FROM agent_intervals ORDER BY 1") == [
        ("1\ufffd", 200),
        ("2", 0),
    ]


async def test_what_was_written_longer_ago_than_is_kept_is_no_row(alerts_db: Database, bus: MemoryBus) -> None:
    async with recording(bus, alerts_db, keep=timedelta(hours=1)) as found:
        now = SystemClock().now()
        for age, kept in ((timedelta(minutes=59), True), (timedelta(minutes=61), False)):
            one = Record(FLOOR_RECORDS.name, 0, 0, b"", encode(fact_of(interval())), (), now - age)
            assert (found.recorder.read(one) is not None) == kept


async def test_a_database_that_is_away_is_waited_for(
    tmp_path: Path, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await migrated(f"sqlite:///{tmp_path / 'alerts.db'}")
    await other.ping()  # it waits for its turn
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 50)
    database = Database(f"sqlite:///{tmp_path / 'alerts.db'}")
    async with recording(bus, database) as found:
        await until(lambda: found.metric("alerts_recording") == 1)
        async with other.unit_of_work() as session:  # somebody else holds the write lock
            await session.execute(text("SELECT 1"))
            await publish(bus, *one_of_each(0, 0))
            await until(lambda: found.metric("alerts_recording") == 0)
        await until(found.caught_up)
        await until(lambda: found.metric("alerts_recording") == 1)
    assert await rows(database, COUNTS) == [(2, 1, 1, 1)]
    await database.close()
    await other.close()


async def test_made_up_and_played_back_records_are_marked(alerts_db: Database, bus: MemoryBus) -> None:
    async with recording(bus, alerts_db) as found:
        await publish(
            bus,
            fact_of(interval("1", 0, 5), simulated=True),
            fact_of(interval("1", 5, 9), replay=True),
            fact_of(interval("1", 9, 10)),
        )
        await until(found.caught_up)
    origins = await rows(alerts_db, "SELECT origin FROM agent_intervals ORDER BY started_at")
    assert origins == [("simulated",), ("replay",), ("real",)]
    assert sorted(await rows(alerts_db, "SELECT origin FROM record_days")) == [("real",), ("replay",), ("simulated",)]
