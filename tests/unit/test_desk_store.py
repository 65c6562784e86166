"""The monitor's tables: what is removed and what stays, preferences, and what is there when the database is not."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

from services.monitor.desk import retention
from services.monitor.desk.retention import BATCH, Keep
from services.monitor.desk.tables import ActionRow, CallRow, CaseChangeRow, CaseRow, TransferRow
from services.monitor.listen.work.tables import NoteRow
from shared.clock import FakeClock
from shared.db import Database
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_RECORDS, SWITCH_DEAD_LETTER
from tests.deskkit import DeskClient, principal, record, serving_desk, transfer_ended
from tests.floorkit import SITE, START
from tests.waiting import until

pytest_plugins = ("tests.monitordb",)

NOW = START + timedelta(days=400)


async def test_replicas_that_start_together_migrate_one_after_the_other(empty_monitor_db: Database) -> None:
    async with (
        serving_desk(empty_monitor_db) as one,
        serving_desk(empty_monitor_db) as other,
        serving_desk(empty_monitor_db, migrated=False) as third,
    ):
        await until(lambda: not third.desk.store.trouble)
        await one.put("/preferences/view", 1)
        assert await other.get("/preferences") == {"view": 1}


async def test_a_database_of_a_newer_version_costs_the_desk_and_not_the_board(monitor_db: Database) -> None:
    async with monitor_db.unit_of_work() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    async with serving_desk(monitor_db, migrated=False) as desk:
        await until(lambda: "9999" in desk.desk.store.trouble)
        assert "newer" in (await desk.get("/preferences", 503))["detail"]
        assert (await desk.client.get("/readyz")).status_code == 200


async def test_tables_that_are_taken_away_cost_the_desk_and_no_record(monitor_db: Database) -> None:
    bus = MemoryBus()
    await bus.create((FLOOR_RECORDS, SWITCH_DEAD_LETTER))
    async with serving_desk(monitor_db, records=bus) as desk:
        for before, after in (("transfers", "t_away"), ("positions", "p_away"), ("actions", "a_away")):
            async with monitor_db.unit_of_work() as session:
                await session.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))
        await record(bus, transfer_ended("t1"))
        await until(lambda: desk.metric("monitor_recording") == 0 and desk.metric("monitor_database_up") == 0)
        problem = await desk.get("/transfers", 503)
        assert problem["title"] == "The database is away"
        assert "transfers" in problem["detail"], "which table it is"
        assert str(monitor_db.url.database) not in problem["detail"], "where it is, is nobody's business here"
        for before, after in (("transfers", "t_away"), ("positions", "p_away"), ("actions", "a_away")):
            async with monitor_db.unit_of_work() as session:
                await session.execute(text(f"ALTER TABLE {after} RENAME TO {before}"))

        async def recorded() -> bool:
            return len((await desk.get("/transfers"))["transfers"]) == 1

        await until(recorded)
        assert bus.records(SWITCH_DEAD_LETTER) == []


# ---------------------------------------------------------------- retention


def transfer(number: int, days: float) -> TransferRow:
    text_columns = ("call_id", "kind", "from_agent", "to_agent", "to_queue", "to_number", "outcome", "slow")
    at = NOW - timedelta(days=days)
    return TransferRow(
        site=SITE, transfer_id=f"t{number}", requested=at, ended=at, recorded_at=at, **dict.fromkeys(text_columns, "")
    )


def call(number: int, days: float) -> CallRow:
    text_columns = ("call_id", "direction", "queue", "outcome", "agent_id", "from_number")
    at = NOW - timedelta(days=days)
    rest: dict[str, Any] = dict.fromkeys(text_columns, "")
    return CallRow(fact_id=f"f{number}", site=SITE, started=at, ended=at, waited_s=1.0, recorded_at=at, **rest)


def case(number: int, days: float, status: str) -> CaseRow:
    at = NOW - timedelta(days=days)
    rest: dict[str, Any] = dict.fromkeys(("reason", "note", "follow_up", "opened_by", "changed_by"), "")
    return CaseRow(
        id=number, site=SITE, transfer_id=f"t{number}", version=1, status=status, opened_at=at, changed_at=at, **rest
    )


def action(days: float) -> ActionRow:
    at = NOW - timedelta(days=days)
    rest: dict[str, Any] = dict.fromkeys(
        ("kind", "queue", "call_id", "transfer_id", "text_en", "text_zh", "by", "by_name"), ""
    )
    return ActionRow(site=SITE, done_at=at, effect_due_at=at, effect="no_data", **rest)


def note(days: float) -> NoteRow:
    at = NOW - timedelta(days=days)
    rest: dict[str, Any] = dict.fromkeys(("listen_id", "call_id", "agent_id", "text", "by", "by_name"), "")
    return NoteRow(site=SITE, at_s=0.0, said_at=at, written_at=at, **rest)


async def add(database: Database, *rows: SQLModel) -> None:
    async with database.unit_of_work() as session:
        session.add_all(rows)


async def names(database: Database, sql: str) -> set[str]:
    async with database.reading() as session:
        return set((await session.execute(text(sql))).scalars())


async def purged(desk: DeskClient, clock: FakeClock, keep: Keep) -> dict[str, int]:
    """What a purge removes; the fake clock goes on while it pauses between batches."""
    task = asyncio.create_task(retention.purge(desk.desk.store, clock, desk.desk.metrics, keep))
    while not task.done():
        await clock.advance(0.1)
        await asyncio.sleep(0.001)
    return task.result()


async def test_what_is_too_old_goes_in_batches_and_what_people_work_on_stays(monitor_db: Database) -> None:
    old = [transfer(number, 8) for number in range(1, BATCH + 30)]
    await add(monitor_db, *old, transfer(9001, 6.9), *(call(n, 8) for n in range(BATCH)), call(9001, 6.9))
    await add(monitor_db, case(1, 8, "open"), case(2, 8, "closed"), case(3, 366, "closed"), case(4, 366, "open"))
    at = NOW - timedelta(days=366)
    await add(monitor_db, CaseChangeRow(case_id=3, version=1, at=at, by="li", by_name="Li", changes={}))
    await add(monitor_db, action(366), action(364), note(366), note(364))
    clock, keep = FakeClock(NOW), Keep()
    async with serving_desk(monitor_db, clock=clock) as desk:
        removed = await purged(desk, clock, keep)
        assert removed == {"cases": 1, "transfers": BATCH + 29 - 3, "calls": BATCH, "actions": 1, "listen_notes": 1}
        assert await names(monitor_db, "SELECT transfer_id FROM transfers") == {"t1", "t2", "t4", "t9001"}
        assert await names(monitor_db, "SELECT fact_id FROM calls") == {"f9001"}
        assert await names(monitor_db, "SELECT transfer_id FROM cases") == {"t1", "t2", "t4"}
        assert await names(monitor_db, 'SELECT "by" FROM case_changes') == set()
        assert desk.metric("monitor_removed_rows_total", table="transfers") == BATCH + 26
        assert not any((await purged(desk, clock, keep)).values())


# ---------------------------------------------------------------- preferences


async def test_preferences_are_each_users_own(monitor_db: Database) -> None:
    async with serving_desk(monitor_db) as desk:
        li, wu = principal("li", "viewer"), principal("wu", "viewer")
        for value in ({"a": [1, None, "案面"]}, [], "text", 0, False, None, {"deep": {"er": 1.5}}):
            assert await desk.as_(li).put("/preferences/columns", value) == {"columns": value}
            assert await desk.get("/preferences") == {"columns": value}
        assert await desk.as_(wu).get("/preferences") == {}
        await desk.put("/preferences/columns", "mine")
        assert await desk.as_(li).ask("DELETE", "/preferences/columns") == {}
        assert await desk.ask("DELETE", "/preferences/columns") == {}
        assert await desk.get("/preferences") == {}
        assert await desk.as_(wu).get("/preferences") == {"columns": "mine"}


async def test_preferences_have_bounds(monitor_db: Database) -> None:
    async with serving_desk(monitor_db) as desk:
        await desk.put("/preferences/k", "x" * 8190)
        await desk.put("/preferences/k", "x" * 8191, 413)
        await desk.put("/preferences/k", "案" * 2731, 413)
        await desk.put("/preferences/bad key", 1, 422)
        await desk.put(f"/preferences/{'k' * 65}", 1, 422)
        for wrong in (b"{", b"\xff", b"[" * 100_000):
            response = await desk.client.put("/api/v1/preferences/k", content=wrong)
            assert response.status_code in (400, 413, 422), response.text
            assert response.headers["content-type"] == "application/problem+json"
        for number in range(1, 50):
            await desk.put(f"/preferences/k{number}", number)
        await desk.put("/preferences/one-more", 1, 409)
        await desk.put("/preferences/k1", "changed")
        found = await desk.get("/preferences")
        assert (len(found), found["k1"]) == (50, "changed")
        assert await desk.as_(principal("wu")).put("/preferences/nul", json.loads('"a\\u0000b"')) == {"nul": "a\ufffdb"}


@pytest.mark.parametrize("path", ["/transfers", "/preferences", "/actions", "/transfers/hq/t1"])
async def test_without_a_database_the_desk_says_so(path: str) -> None:
    async with serving_desk(None, migrated=False) as desk:
        response = await desk.client.get(f"/api/v1{path}")
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert "no database" in response.json()["detail"]
