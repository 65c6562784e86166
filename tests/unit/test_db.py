from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import db
from shared.db import Database, UtcDateTime
from shared.errors import SettingsError, StoreError
from tests.databases import BOTH, POSTGRES, empty_database
from tests.waiting import PATIENCE_S


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'test.db'}")
    async with database.unit_of_work() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
    yield database
    await database.close()


async def numbers(database: Database) -> list[int]:
    async with database.reading() as session:
        return list(await session.scalars(text("SELECT n FROM t ORDER BY n")))


async def insert(database: Database, *found: int) -> None:
    async with database.unit_of_work() as session:
        for number in found:
            await session.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})


async def test_a_unit_of_work_commits_once_at_its_end(database: Database) -> None:
    async with database.unit_of_work() as session:
        await session.execute(text("INSERT INTO t VALUES (1)"))
        assert await numbers(database) == []  # a reader does not wait, and does not see it
    assert await numbers(database) == [1]


async def test_a_unit_of_work_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await insert(database, 1, 1)
    assert await numbers(database) == []


async def test_a_cancelled_unit_of_work_leaves_nothing_and_no_lock(database: Database) -> None:
    inside, never = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with database.unit_of_work() as session:
            await session.execute(text("INSERT INTO t VALUES (1)"))
            inside.set()
            await never.wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    await asyncio.wait([task])
    async with database.unit_of_work() as session:
        await session.execute(text("INSERT INTO t VALUES (2)"))
    assert await numbers(database) == [2]


async def test_writers_that_read_first_queue_and_lose_no_update(database: Database) -> None:
    """Without the lock at the start both would read the same number, and one would fail or overwrite."""

    async def add() -> None:
        async with database.unit_of_work() as session:
            top = await session.scalar(text("SELECT COALESCE(MAX(n), 0) FROM t"))
            await asyncio.sleep(0)
            await session.execute(text("INSERT INTO t VALUES (:n)"), {"n": (top or 0) + 1})

    await asyncio.gather(*(add() for _ in range(20)))
    assert await numbers(database) == list(range(1, 21))


async def test_a_locked_database_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 20)
    one, other = Database(f"sqlite:///{tmp_path / 'x.db'}"), Database(f"sqlite:///{tmp_path / 'x.db'}")
    async with one.unit_of_work() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER)"))
        with pytest.raises(StoreError, match=r"x\.db: database is locked"):
            await insert(other, 1)
    await one.close()
    await other.close()


async def test_foreign_keys_and_wal_are_on(database: Database) -> None:
    async with database.reading() as session:
        assert await session.scalar(text("PRAGMA foreign_keys")) == 1
        assert await session.scalar(text("PRAGMA journal_mode")) == "wal"


async def test_a_postgres_that_is_away_is_said_to_be_so_without_its_password() -> None:
    database = Database("postgresql://user:hush@127.0.0.1:1/nothing")
    with pytest.raises(StoreError) as error:
        await database.ping()
    assert "127.0.0.1:1/nothing" in str(error.value)
    assert "hush" not in str(error.value)
    await database.close()


@pytest.mark.postgres
@pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL: set TEST_POSTGRES_URL")
async def test_what_a_postgres_refuses_for_now_ends_no_service(tmp_path: Path) -> None:
    """A deadlock, a standby, a statement that is ended, a database that is not there: to be tried again, no fault of ours."""
    async with empty_database("postgres", tmp_path) as database:
        async with database.unit_of_work() as session:
            await session.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)"))
            await session.execute(text("INSERT INTO t VALUES (1, 0), (2, 0)"))
        both = asyncio.Barrier(2)

        async def crosswise(*rows: int) -> None:
            async with database.unit_of_work() as session:
                for row in rows:
                    await session.execute(text(f"UPDATE t SET v = v + 1 WHERE id = {row}"))
                    if row == rows[0]:
                        await both.wait()

        ends = await asyncio.gather(crosswise(1, 2), crosswise(2, 1), return_exceptions=True)
        assert sorted(map(str, filter(None, ends)))[0].endswith("deadlock detected")
        assert [type(end) for end in ends if end is not None] == [StoreError]

        async def run(*statements: str) -> None:
            async with database.unit_of_work() as session:
                for statement in statements:
                    await session.execute(text(statement))

        with pytest.raises(StoreError):
            await run("SET TRANSACTION READ ONLY", "DELETE FROM t")
        with pytest.raises(StoreError):
            await run("SET LOCAL statement_timeout = '10ms'", "SELECT pg_sleep(5)")
        with pytest.raises(IntegrityError):
            await run("INSERT INTO t VALUES (1, 0)")
        nowhere = Database(database.url.set(database="not_there").render_as_string(hide_password=False))
        with pytest.raises(StoreError, match="not_there"):
            await nowhere.ping()
        await nowhere.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", ""])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="database"):
        Database(url)


def test_times_are_utc_on_both_ways_and_must_be_aware() -> None:
    kind, dialect = UtcDateTime(), Database("sqlite:///:memory:").engine.dialect
    shanghai = datetime(2026, 11, 22, 9, 0, tzinfo=timezone(timedelta(hours=8)))
    stored = kind.process_bind_param(shanghai, dialect)
    assert stored == shanghai
    assert stored.tzinfo is UTC
    assert kind.process_result_value(stored.replace(tzinfo=None), dialect) == shanghai
    with pytest.raises(ValueError, match="time zone"):
        kind.process_bind_param(datetime(2026, 1, 1), dialect)


def test_a_time_before_the_first_or_after_the_last_of_the_calendar_is_that() -> None:
    kind, dialect = UtcDateTime(), Database("sqlite:///:memory:").engine.dialect
    first = datetime(1, 1, 1, 1, tzinfo=timezone(timedelta(hours=8)))
    last = datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=8)))
    assert kind.process_bind_param(first, dialect) == datetime.min.replace(tzinfo=UTC)
    assert kind.process_bind_param(last, dialect) == datetime.max.replace(tzinfo=UTC)


async def test_who_is_cancelled_in_a_transaction_leaves_no_lock_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is given up with a cursor still open would hold SQLite's lock for as long as the process lives."""
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 1000)
    database = Database(f"sqlite:///{tmp_path / 'cancelled.db'}")
    async with database.unit_of_work() as session:
        await session.execute(text("CREATE TABLE t (a INTEGER)"))

    async def work() -> None:
        async with database.unit_of_work() as session:
            await session.execute(text("INSERT INTO t VALUES (1)"))
            await session.execute(text("SELECT count(*) FROM t"))

    for turns in range(40):  # whichever step it is at
        tasks = [asyncio.create_task(work()) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0.0003)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with database.unit_of_work() as session:
            await session.execute(text("INSERT INTO t VALUES (2)"))
    await database.close()


async def test_writers_have_their_turns_in_the_order_in_which_they_came(database: Database) -> None:
    """Who writes again and again passes by nobody: SQLite alone would let them, while others sleep until they try again."""
    order: list[str] = []
    first, all_came = asyncio.Event(), asyncio.Event()

    async def write(name: str, times: int) -> None:
        for _ in range(times):
            async with database.unit_of_work() as session:
                await session.execute(text("INSERT INTO t DEFAULT VALUES"))
                order.append(name)
                first.set()
                await all_came.wait()

    busy = asyncio.create_task(write("busy", 5))
    await asyncio.wait_for(first.wait(), PATIENCE_S)
    others = [asyncio.create_task(write(name, 1)) for name in ("a", "b")]
    await asyncio.sleep(0)  # they are in the line
    all_came.set()
    await asyncio.gather(busy, *others)
    assert order == ["busy", "a", "b", *["busy"] * 4]


async def test_who_is_cancelled_is_so_also_when_the_rollback_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was an outage of the database instead, which whoever works for ever tries again after: the service did not end."""

    async def fail(_session: AsyncSession) -> None:
        raise OperationalError("ROLLBACK", {}, Exception("the connection is gone"))

    inside = asyncio.Event()

    async def work() -> None:
        async with database.unit_of_work():
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    monkeypatch.setattr(AsyncSession, "rollback", fail)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("kind", BOTH)
async def test_what_is_read_is_of_one_moment_while_others_write(kind: str, tmp_path: Path) -> None:
    """A page said that eight were open, and listed none."""
    async with empty_database(kind, tmp_path) as database:
        async with database.unit_of_work() as session:
            await session.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
        for long in (False, True):
            async with database.reading(long=long) as session:
                before = await session.scalar(text("SELECT count(*) FROM t"))
                async with database.unit_of_work() as other:
                    await other.execute(text(f"INSERT INTO t VALUES ({before})"))
                assert await session.scalar(text("SELECT count(*) FROM t")) == before
            assert len(await numbers(database)) == before + 1
