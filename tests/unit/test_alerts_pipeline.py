"""From `floor.flags` to incidents: nothing lost, nothing doubled, whatever is away meanwhile."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.alerts.app import MIGRATIONS
from services.alerts.repositories import Positions
from shared import db
from shared.db import Database
from shared.memorybus import MemoryBus
from shared.migrate import upgrade
from shared.topics import FLOOR_FLAGS, SWITCH_DEAD_LETTER
from tests.alertskit import TOPICS, Alerts, publish, running
from tests.flagkit import CALLER, TRANSFER, clearing, flag
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.create(TOPICS)
    return bus


async def caught_up(alerts: Alerts, bus: MemoryBus) -> None:
    """Return when everything on the bus is in the database."""
    end = len(bus.records(FLOOR_FLAGS))

    async def done() -> bool:
        async with alerts.service.database.reading() as session:
            positions = await Positions(session).all(FLOOR_FLAGS.name)
        return sum(position.next_offset for position in positions.values()) == end

    await until(done)


async def notified(database: Database) -> list[tuple[int, int]]:
    async with database.reading() as session:
        rows = await session.execute(text("SELECT incident_id, telling FROM notices ORDER BY id"))
        return [(number, telling) for number, telling in rows]


async def test_a_flag_becomes_an_incident_and_its_end_a_line_in_the_history(
    alerts_db: Database, bus: MemoryBus
) -> None:
    async with running(bus, alerts_db) as alerts:
        await publish(bus, flag())
        (one,) = await until(alerts.incidents)
        assert (one["state"], one["condition"], one["severity"]) == ("open", "active", "critical")
        await publish(bus, clearing())
        await caught_up(alerts, bus)
        detail = await alerts.get(f"/incidents/{one['id']}")
        assert [entry["kind"] for entry in detail["timeline"]] == ["opened", "told", "flag_cleared"]
        assert (detail["incident"]["state"], detail["incident"]["condition"]) == ("open", "ended")
        assert alerts.metric("alerts_flags_total", outcome="opened") == 1
        assert alerts.metric("alerts_incidents_total", severity="critical") == 1
        await until(lambda: alerts.metric("alerts_incidents_unresolved", severity="critical") == 1, "it is counted")


async def test_flags_that_come_again_change_nothing(alerts_db: Database, bus: MemoryBus) -> None:
    async with running(bus, alerts_db) as alerts:
        await publish(bus, flag("f1"), clearing("f1"), flag("f2", "t2"), flag("f1"), clearing("f1"), flag("f2", "t2"))
        await caught_up(alerts, bus)
        assert [(one["id"], one["version"]) for one in await alerts.incidents()] == [(2, 2), (1, 3)]
        assert await notified(alerts_db) == [(1, 1), (2, 1)]
        assert alerts.metric("alerts_flags_total", outcome="duplicate") == 3


async def test_a_restart_goes_on_where_it_was(alerts_db: Database, bus: MemoryBus) -> None:
    for number in range(3):
        async with running(bus, alerts_db) as alerts:
            await publish(bus, flag(f"f{number}", f"t{number}"))
            await caught_up(alerts, bus)
            assert len(await alerts.incidents()) == number + 1
            assert alerts.metric("alerts_flags_total", outcome="opened") == 1
            assert alerts.metric("alerts_flags_total", outcome="duplicate") == 0
    assert len(await notified(alerts_db)) == 3


async def test_two_replicas_make_one_incident(alerts_db: Database, bus: MemoryBus) -> None:
    async with running(bus, alerts_db) as one, running(bus, alerts_db) as other:
        for number in range(20):
            await publish(bus, flag(f"f{number}", f"t{number}"), clearing(f"f{number}"))
        await caught_up(one, bus)
        await caught_up(other, bus)
        assert len(await one.incidents()) == 20
        assert {found["version"] for found in await one.incidents()} == {3}

        def told_in_all(outcome: str, count: int) -> bool:
            return sum(found.metric("alerts_flags_total", outcome=outcome) for found in (one, other)) == count

        for outcome, count in (("opened", 20), ("cleared", 20), ("duplicate", 0), ("unknown_flag", 0)):
            await until(partial(told_in_all, outcome, count), "both say between them what became of each flag")
    assert len(await notified(alerts_db)) == 20
    assert bus.records(SWITCH_DEAD_LETTER) == []


async def test_what_cannot_be_read_is_put_aside_and_the_rest_goes_on(alerts_db: Database, bus: MemoryBus) -> None:
    bad = [b"nonsense", b"{}", b'{"specversion":"1.0","type":"floorwatch.unknown.v1"}']
    async with running(bus, alerts_db) as alerts:
        await publish(bus, flag("f1"), *bad, flag("f2", "t2"))
        await caught_up(alerts, bus)
        assert len(await alerts.incidents()) == 2
        letters = bus.records(SWITCH_DEAD_LETTER)
        assert [letter.value for letter in letters] == bad
        headers = [dict(letter.headers) for letter in letters]
        assert [(found["topic"], found["offset"]) for found in headers] == [
            (b"floor.flags", b"1"),
            (b"floor.flags", b"2"),
            (b"floor.flags", b"3"),
        ]
        assert headers[0]["reason"] == b"not_json"
        assert alerts.metric("alerts_dead_letters_total", reason="not_json") == 1


async def test_a_time_without_a_zone_is_put_aside(alerts_db: Database, bus: MemoryBus) -> None:
    value = b'{"specversion":"1.0","type":"floorwatch.flag_cleared.v1","id":"x","source":"/m","site":"s1",'
    value += b'"time":"2026-11-22T01:00:00Z","data":{"flag_id":"f1","rule":"r","subject":"call","subject_id":"c",'
    value += b'"cleared_at":"2026-11-22T01:00:00","duration_s":1.0}}'
    async with running(bus, alerts_db) as alerts:
        await publish(bus, flag("f1"), value)
        await caught_up(alerts, bus)
    (letter,) = bus.records(SWITCH_DEAD_LETTER)
    assert dict(letter.headers)["reason"] == b"no_time_zone"


async def test_no_full_number_reaches_the_database(alerts_db: Database, bus: MemoryBus) -> None:
    seen = TRANSFER | {"from_number": CALLER, "call": {"peer": CALLER}}
    told = flag(evidence=seen, labels={"caller": CALLER}, summary_en=f"{CALLER} waits", summary_zh=f"{CALLER} 等待")
    async with running(bus, alerts_db) as alerts:
        await publish(bus, told, clearing(evidence=seen))
        await caught_up(alerts, bus)
        detail = (await alerts.client.get("/api/v1/incidents/1")).text
    assert "139" not in detail
    assert detail.count("5678") == 10  # two summaries, a label and two numbers, in incident, flag and its end
    async with alerts_db.reading() as session:
        for table in ("incidents", "flags", "incident_events"):
            assert "39123" not in str((await session.execute(text(f"SELECT * FROM {table}"))).all())


async def test_characters_no_database_takes_do_not_stop_it(alerts_db: Database, bus: MemoryBus) -> None:
    async with running(bus, alerts_db) as alerts:
        await publish(bus, flag("f1", summary_en="a\x00b", labels={"agent_name": "\x00"}), flag("f2", "t2"))
        await caught_up(alerts, bus)
        assert [one["summary"]["en"] for one in await alerts.incidents()][1] == "a\ufffdb"


async def test_a_record_that_the_database_refuses_is_put_aside_alone(alerts_db: Database, bus: MemoryBus) -> None:
    async with alerts_db.unit_of_work() as session:
        if alerts_db.url.get_backend_name() == "sqlite":
            await session.execute(
                text(
                    "CREATE TRIGGER refuse BEFORE INSERT ON flags WHEN NEW.flag_id = 'f2' "
                    "BEGIN SELECT RAISE(ABORT, 'refused'); END"
                )
            )
        else:
            await session.execute(text("ALTER TABLE flags ADD CONSTRAINT refuse CHECK (flag_id <> 'f2')"))
    async with running(bus, alerts_db) as alerts:
        await publish(bus, flag("f1", "t1"), flag("f2", "t2"), flag("f3", "t3"))
        await caught_up(alerts, bus)
        assert {one["subject_id"] for one in await alerts.incidents()} == {"t1", "t3"}
    (letter,) = bus.records(SWITCH_DEAD_LETTER)
    assert dict(letter.headers)["reason"] == b"not_storable"


async def ready(alerts: Alerts) -> Any:
    found = await alerts.client.get("/readyz")
    return found.status_code, found.json()["checks"]


async def test_a_broker_that_is_away_is_said_and_waited_for(alerts_db: Database, bus: MemoryBus) -> None:
    bus.break_down("no broker answers there")
    async with running(bus, alerts_db) as alerts:

        async def down() -> bool:
            code, checks = await ready(alerts)
            return code == 503 and "no broker answers there" in checks["flags"]["reason"]

        async def up() -> bool:
            return (await ready(alerts))[0] == 200

        await until(down)
        assert (await alerts.get("/status"))["state"] == "connecting"
        bus.recover()
        await until(up)
        await publish(bus, flag("f1"))
        await until(alerts.incidents)
        bus.break_down("gone again")

        async def lost() -> bool:
            return (await alerts.get("/status"))["state"] == "lost"

        await until(lost)
        assert alerts.metric("alerts_connected") == 0
        bus.recover()
        await until(up)
        await publish(bus, flag("f2", "t2"))
        await caught_up(alerts, bus)
        assert len(await alerts.incidents()) == 2


async def test_a_database_that_is_away_is_said_and_waited_for(
    tmp_path: Path, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, other = (Database(f"sqlite:///{tmp_path / 'a.db'}") for _ in range(2))
    await other.ping()  # it is connected, and waits for its turn as long as usual
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 20)
    await upgrade(database, MIGRATIONS)
    async with running(bus, database) as alerts:
        async with other.unit_of_work() as session:  # another process holds the write lock
            await session.execute(text("DELETE FROM positions"))
            await publish(bus, flag())

            async def lost() -> bool:
                status = await alerts.get("/status")
                return status["state"] == "lost" and "database is locked" in status["reason"]

            await until(lost)
            assert (await ready(alerts))[0] == 503
            problem = await alerts.post("/incidents/1/acknowledge", {"by": "Li"}, 503)
            assert problem["detail"] == "the database says: database is locked; nothing was changed, try again"
        assert await until(alerts.incidents)
        await caught_up(alerts, bus)

        async def up() -> bool:
            return (await ready(alerts))[0] == 200

        await until(up)
    await database.close()
    await other.close()


async def test_a_broker_that_came_back_empty_is_read_from_its_start(alerts_db: Database, bus: MemoryBus) -> None:
    """The embedded broker forgets everything; the offsets in the database are then of a log that is gone."""
    async with running(bus, alerts_db) as alerts:
        await publish(bus, *(flag(f"old{n}", f"t{n}") for n in range(5)))
        await caught_up(alerts, bus)
    bus.forget_everything()
    await bus.create(TOPICS)
    await publish(bus, flag("new0", "u0"))
    async with running(bus, alerts_db) as alerts:  # shorter than the position
        await caught_up(alerts, bus)
        found = await alerts.incidents()
        assert [one["condition"] for one in found] == ["active"] + ["unknown"] * 5  # their end can no longer be heard
    bus.forget_everything()
    await bus.create(TOPICS)
    await publish(bus, *(flag(f"newer{n}", f"v{n}") for n in range(4)), flag("old1", "t1"))
    async with running(bus, alerts_db) as alerts:  # longer than the position: only the record itself tells
        await caught_up(alerts, bus)
        assert len(await alerts.incidents()) == 10


async def test_a_topic_that_came_back_with_fewer_partitions_is_read_from_its_start(alerts_db: Database) -> None:
    """The partition that was read is not there any more, so nothing there can tell that its offsets mean nothing."""
    bus = MemoryBus()
    await bus.create(TOPICS, partitions=3)
    async with running(bus, alerts_db) as alerts:
        await publish(bus, flag("old", "t1"))
        await caught_up(alerts, bus)
    assert bus.records(FLOOR_FLAGS)[0].partition != 0
    bus.forget_everything()
    await bus.create(TOPICS)
    await publish(bus, flag("new", "u1"))
    async with running(bus, alerts_db) as alerts:

        async def both() -> bool:
            return len(await alerts.incidents()) == 2

        await until(both)
        assert [one["condition"] for one in await alerts.incidents()] == ["active", "unknown"]


async def test_quiet_incidents_resolve_themselves(alerts_db: Database, bus: MemoryBus) -> None:
    async with running(bus, alerts_db, quiet_s=0.2, critical_quiet_s=1000) as alerts:
        await publish(bus, flag("f1", severity="warning"), clearing("f1"), flag("f2", "t2"), clearing("f2"))

        async def resolved() -> Any:
            return (await alerts.get("/incidents?state=resolved"))["incidents"]

        (one,) = await until(resolved)
        assert (one["subject_id"], one["resolver"], one["cause"]) == ("t1", "floorwatch", "quiet")
        assert [found["subject_id"] for found in (await alerts.get("/incidents?state=open"))["incidents"]] == ["t2"]


async def test_a_returning_flag_reopens_and_tells_again(alerts_db: Database, bus: MemoryBus) -> None:
    async with running(bus, alerts_db) as alerts:
        await publish(bus, flag("f1"))
        await caught_up(alerts, bus)
        await alerts.post("/incidents/1/resolve", {"by": "Li"})
        await publish(bus, flag("f2", raised=flag().raised + timedelta(minutes=1)))
        await caught_up(alerts, bus)
        (one,) = await alerts.incidents()
        assert (one["state"], one["openings"], one["owner"], one["resolver"]) == ("open", 2, "", "")
    assert await notified(alerts_db) == [(1, 1), (1, 2)]
