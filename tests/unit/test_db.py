from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shared import db
from shared.db import Database, UtcDateTime
from shared.errors import SettingsError, StoreError


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
