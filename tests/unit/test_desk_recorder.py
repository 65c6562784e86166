"""From `floor.records` to rows: nothing lost, nothing doubled, the last word counts, whatever is away meanwhile."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.monitor.desk.retention import Keep
from services.monitor.desk.tables import PositionRow
from shared import db, facts
from shared.bus import Record
from shared.clock import SystemClock
from shared.codec import encode
from shared.db import Database
from shared.events import AgentLoggedOn
from shared.facts import AgentInterval
from shared.memorybus import MemoryBus
from shared.positions import Positions
from shared.topics import FLOOR_RECORDS, SWITCH_DEAD_LETTER
from tests.deskkit import DeskClient, call_ended, fact_bytes, principal, record, serving_desk, transfer_ended
from tests.floorkit import SITE, Bench, at
from tests.waiting import until

pytest_plugins = ("tests.monitordb",)

TOPICS = (FLOOR_RECORDS, SWITCH_DEAD_LETTER)


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.create(TOPICS)
    return bus


async def caught_up(desk: DeskClient, bus: MemoryBus) -> None:
    """Return when everything on the bus is in the database."""
    end = len(bus.records(FLOOR_RECORDS))

    async def done() -> bool:
        async with desk.desk.store.reading() as session:
            found = await Positions(session, PositionRow).all(FLOOR_RECORDS.name)
        return sum(position.next_offset for position in found.values()) == end

    await until(done)


async def rows(desk: DeskClient, sql: str) -> list[Any]:
    async with desk.desk.store.reading() as session:
        return [tuple(row) for row in await session.execute(text(sql))]


def named() -> Bench:
    bench = Bench()
    bench(0, AgentLoggedOn(agent_id="1", name="Anna", team="blue"), AgentLoggedOn(agent_id="2", name="Bo", team="red"))
    return bench


async def test_a_finished_transfer_and_a_call_are_found_with_their_agents_names(
    monitor_db: Database, bus: MemoryBus
) -> None:
    async with serving_desk(monitor_db, named(), records=bus) as desk:
        await record(bus, transfer_ended("t1", 5, 8.25, to_number="+4530123456"), call_ended("c1"))
        await caught_up(desk, bus)
        (found,) = (await desk.get("/transfers"))["transfers"]
        assert {
            name: found[name] for name in ("transfer_id", "from_name", "to_name", "total_s", "slow", "to_number")
        } == {
            "transfer_id": "t1",
            "from_name": "Anna",
            "to_name": "Bo",
            "total_s": 8.25,
            "slow": "yes",
            "to_number": "+••••••3456",
        }
        assert (found["requested"], found["bridged"]) == ("2026-11-22T09:00:05Z", "2026-11-22T09:00:13.250000Z")
        assert (await desk.get(f"/transfers/{SITE}/t1")) == found
        (call,) = (await desk.get(f"/agents/{SITE}/1/calls"))["calls"]
        assert (call["call_id"], call["waited_s"], call["talk_s"], call["from_number"]) == (
            "c1",
            10.0,
            60.0,
            "+••••••3456",
        )
        assert "30123" not in str(await rows(desk, "SELECT * FROM transfers")) + str(
            await rows(desk, "SELECT * FROM calls")
        )


async def test_what_is_put_right_later_counts_and_what_a_slow_replica_repeats_does_not(
    monitor_db: Database, bus: MemoryBus
) -> None:
    first, second = transfer_ended("t1", took=3.0), transfer_ended("t1", took=2.0, to_agent="3")
    async with serving_desk(monitor_db, named(), records=bus) as desk:
        for batch in ([(first, 10)], [(second, 20)], [(second, 20), (first, 10)], [(first, 10)]):
            await record(bus, *(fact_bytes(data, offset) for data, offset in batch))
            await caught_up(desk, bus)
        (found,) = (await desk.get("/transfers"))["transfers"]
        assert (found["total_s"], found["to_agent"], found["to_name"]) == (2.0, "3", "3")
        await record(bus, fact_bytes(transfer_ended("t1", took=4.0), 20, 1))  # a later product of the same raw record
        await caught_up(desk, bus)
        assert [one["total_s"] for one in (await desk.get("/transfers"))["transfers"]] == [4.0]


async def test_two_replicas_and_restarts_write_each_once(monitor_db: Database, bus: MemoryBus) -> None:
    for run in range(3):
        async with (
            serving_desk(monitor_db, named(), records=bus) as one,
            serving_desk(monitor_db, named(), records=bus) as other,
        ):
            for number in range(run * 100, run * 100 + 100):
                values = [
                    fact_bytes(transfer_ended(f"t{number}"), number),
                    fact_bytes(call_ended(f"c{number}"), number, 1),
                ]
                await record(bus, *values, *values)  # both replicas publish
            await caught_up(one, bus)
            await caught_up(other, bus)
            assert await rows(one, "SELECT count(*), count(DISTINCT transfer_id) FROM transfers") == [
                (100 * run + 100,) * 2
            ]
            assert await rows(one, "SELECT count(*), count(DISTINCT fact_id) FROM calls") == [(100 * run + 100,) * 2]
            assert sum(desk.metric("monitor_recorded_total", kind="call") for desk in (one, other)) <= 200
    assert bus.records(SWITCH_DEAD_LETTER) == []


async def test_other_records_are_passed_and_unreadable_ones_put_aside(monitor_db: Database, bus: MemoryBus) -> None:
    interval = AgentInterval(
        agent_id="1", state="talk", started_at=at(0), ended_at=at(5), duration_s=5.0, provenance="observed"
    )
    other = encode(facts.make(interval, id="x", source="/m", site=SITE, time=at(5)))
    broken = b'{"specversion":"1.0","type":"floorwatch.transfer_ended.v1","id":1}'
    stamp = b'"requested_at":"2026-11-22T09:00:00'
    naive = fact_bytes(transfer_ended("t9")).replace(stamp + b"Z", stamp)
    async with serving_desk(monitor_db, named(), records=bus) as desk:
        await record(bus, other, broken, naive, transfer_ended("t1", outcome="running"), transfer_ended("t2"))
        await caught_up(desk, bus)
        assert [one["transfer_id"] for one in (await desk.get("/transfers"))["transfers"]] == ["t2"]
        letters = bus.records(SWITCH_DEAD_LETTER)
        assert [letter.value for letter in letters] == [broken, naive]
        assert [dict(letter.headers)["reason"] for letter in letters] == [b"invalid_event", b"no_time_zone"]
        assert desk.metric("monitor_recorder_dead_letters_total", reason="no_time_zone") == 1


async def test_a_broker_that_came_back_empty_is_read_from_its_start(monitor_db: Database, bus: MemoryBus) -> None:
    async with serving_desk(monitor_db, named(), records=bus) as desk:
        await record(bus, *(fact_bytes(transfer_ended(f"t{n}", took=1.0), 1000 + n) for n in range(5)))
        await caught_up(desk, bus)
    bus.forget_everything()
    await bus.create(TOPICS)
    async with serving_desk(monitor_db, named(), records=bus) as desk:
        # positions begin anew with it, and what has an id of before is another word about the same
        await record(bus, fact_bytes(transfer_ended("t0", took=2.0), 1), fact_bytes(transfer_ended("u0"), 2))
        await caught_up(desk, bus)
        assert len((await desk.get("/transfers"))["transfers"]) == 6
        assert (await desk.get(f"/transfers/{SITE}/t0"))["total_s"] == 2.0


async def test_a_database_that_is_away_at_the_start_and_later_is_said_and_waited_for(
    tmp_path: Path, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 50)
    folder = tmp_path / "later"
    folder.write_text("in the way")
    database = Database(f"sqlite:///{folder / 'monitor.db'}")
    async with serving_desk(database, named(), records=bus, migrated=False) as desk:
        problem = await desk.get("/transfers", 503)
        assert problem["title"] == "The database is away"
        await record(bus, transfer_ended("t1"))
        assert (await desk.client.get("/readyz")).status_code == 200
        assert desk.metric("monitor_database_up") == 0
        folder.unlink()
        folder.mkdir()
        await until(lambda: not desk.desk.store.trouble)
        await caught_up(desk, bus)
        with monkeypatch.context() as usual:
            usual.setattr(db, "BUSY_TIMEOUT_MS", 5000)
            other = Database(f"sqlite:///{folder / 'monitor.db'}")
            await other.ping()  # it waits for its turn
        async with other.unit_of_work() as session:  # somebody else holds the write lock
            await session.execute(text("SELECT 1"))
            await record(bus, transfer_ended("t2"))
            await until(lambda: desk.metric("monitor_recording") == 0 and desk.metric("monitor_database_up") == 0)
            assert len((await desk.get("/transfers"))["transfers"]) == 1
            await desk.put("/preferences/view", {"a": 1}, 503)
            assert (await desk.client.get("/readyz")).status_code == 200
        await caught_up(desk, bus)
        assert len((await desk.get("/transfers"))["transfers"]) == 2
        await until(lambda: desk.metric("monitor_recording") == desk.metric("monitor_database_up") == 1)
        await other.close()
    await database.close()


async def test_what_is_older_than_is_kept_is_not_written_at_all(monitor_db: Database, bus: MemoryBus) -> None:
    async with serving_desk(monitor_db, named(), records=bus, keep=Keep(finished=timedelta(hours=1))) as desk:
        recorder = desk.desk._recorder
        assert recorder is not None
        now = SystemClock().now()
        for age, kept in ((timedelta(minutes=59), True), (timedelta(minutes=61), False)):
            one = Record(FLOOR_RECORDS.name, 0, 0, b"", fact_bytes(transfer_ended()), (), now - age)
            assert (recorder.read(one) is not None) == kept


async def test_the_agent_s_calls_are_the_newest_first_and_only_of_who_is_seen(
    monitor_db: Database, bus: MemoryBus
) -> None:
    async with serving_desk(monitor_db, named(), records=bus) as desk:
        await record(bus, *(call_ended(f"c{n}", n * 100) for n in (2, 0, 1)), call_ended("other", agent_id="2"))
        await caught_up(desk, bus)
        assert [c["call_id"] for c in (await desk.get(f"/agents/{SITE}/1/calls"))["calls"]] == ["c2", "c1", "c0"]
        assert [c["call_id"] for c in (await desk.get(f"/agents/{SITE}/1/calls", limit=1))["calls"]] == ["c2"]
        await desk.as_(principal("li", teams=frozenset({"red"}))).get(f"/agents/{SITE}/1/calls", 404)
        await desk.as_(principal("li", "viewer")).get(f"/agents/{SITE}/1/calls", 403)
