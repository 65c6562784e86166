"""What a database does when it is not well, and that nobody waits for it for long, or takes it for the fault of a record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from shared import db
from shared.db import Database
from shared.errors import StoreError
from tests.databases import BOTH, POSTGRES, empty_database, spelled, through
from tests.netkit import Proxy, proxied
from tests.waiting import until

OUR_CONNECTIONS = 15  # SQLAlchemy's five, and ten more while they are needed

postgres = [pytest.mark.postgres, pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL: set TEST_POSTGRES_URL")]


def on_postgres(test: object) -> object:
    for mark in postgres:
        test = mark(test)
    return test


async def run(database: Database, *statements: str) -> None:
    async with database.unit_of_work() as session:
        for statement in statements:
            await session.execute(text(statement))


async def count(database: Database) -> int:
    async with database.reading() as session:
        return int(await session.scalar(text("SELECT count(*) FROM t")) or 0)


async def said(work: Awaitable[None]) -> str:
    """How it ended: "", or that the disk is full."""
    try:
        await work
    except StoreError as exc:
        return "full" if "database or disk is full" in str(exc) else str(exc)
    return ""


@pytest.mark.parametrize("kind", BOTH)
async def test_who_finds_no_connection_free_is_told_so_and_does_not_wait_for_ever(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was an error of the statement: an intake took it for one of its record, and put the record aside."""
    monkeypatch.setattr(db, "POOL_TIMEOUT_S", 0.05)
    async with empty_database(kind, tmp_path) as database:
        async with AsyncExitStack() as stack:
            for _ in range(OUR_CONNECTIONS):
                session = await stack.enter_async_context(database.reading())
                await session.execute(text("SELECT 1"))
            with pytest.raises(StoreError, match="connection"):
                await database.ping()
        await database.ping()


async def test_a_damaged_file_is_an_outage(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    database = Database(f"sqlite:///{file}")
    await run(database, "CREATE TABLE t (n INTEGER PRIMARY KEY)")
    await database.close()
    file.write_bytes(b"no database at all, not even nearly" * 200)
    with pytest.raises(StoreError, match="not a database"):
        await run(database, "INSERT INTO t VALUES (1)")
    await database.close()


async def test_a_full_disk_is_an_outage_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The file may have so many pages and no more, as if the disk ended there."""
    async with empty_database("sqlite", tmp_path) as database:
        await run(database, "CREATE TABLE t (n INTEGER PRIMARY KEY, what TEXT)")

        async def filled(number: int) -> None:
            async with database.unit_of_work() as session:
                await session.execute(text("PRAGMA max_page_count = 20"))  # of this connection
                for n in range(3):
                    await session.execute(text(f"INSERT INTO t VALUES ({3 * number + n}, '{'x' * 5000}')"))

        ends = [await said(filled(number)) for number in range(8)]
        kept = ends.index("full")
        assert kept > 0
        assert set(ends[kept:]) == {"full"}
        assert await count(database) == 3 * kept
        await run(database, "PRAGMA max_page_count = 1000", f"INSERT INTO t VALUES (1000, '{'x' * 5000}')")
        assert await count(database) == 3 * kept + 1


@on_postgres
async def test_rights_and_tables_that_were_taken_away_are_an_outage(tmp_path: Path) -> None:
    async with empty_database("postgres", tmp_path) as database:
        await run(database, "CREATE TABLE t (n INTEGER PRIMARY KEY)")
        role = f"r_{database.url.database}"
        await run(database, f"CREATE ROLE {role} LOGIN PASSWORD 'hush'", f"GRANT INSERT ON t TO {role}")
        other = Database(spelled(database.url.set(username=role, password="hush")))
        try:
            await run(other, "INSERT INTO t VALUES (1)")
            with pytest.raises(IntegrityError):
                await run(other, "INSERT INTO t VALUES (1)")
            await run(database, f"REVOKE ALL ON t FROM {role}")
            with pytest.raises(StoreError, match="permission denied"):
                await run(other, "INSERT INTO t VALUES (2)")
            await run(database, "ALTER TABLE t RENAME TO away")
            with pytest.raises(StoreError, match="does not exist"):
                await run(other, "INSERT INTO t VALUES (2)")
            await run(database, "ALTER TABLE away RENAME TO t", f"GRANT INSERT ON t TO {role}")
            await run(other, "INSERT INTO t VALUES (2)")
        finally:
            await other.close()
            await run(database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@on_postgres
async def test_nobody_waits_long_for_a_table_that_somebody_else_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 50)
    async with empty_database("postgres", tmp_path) as database:
        await run(database, "CREATE TABLE t (n INTEGER PRIMARY KEY)")
        async with database.unit_of_work() as session:
            await session.execute(text("LOCK TABLE t"))
            with pytest.raises(StoreError, match="lock timeout"):
                await count(database)
            with pytest.raises(StoreError, match="lock timeout"):
                await run(database, "INSERT INTO t VALUES (1)")
        assert await count(database) == 0


@asynccontextmanager
async def cut_of(url: URL) -> AsyncIterator[tuple[Proxy, Database]]:
    """The database by a way that can be cut: a cable that is pulled closes nothing."""
    async with proxied(url.port or 0) as way:
        database = Database(through(url, way.port))
        try:
            yield way, database
        finally:
            way.go_on()
            await database.close()


async def cut_short(database: Database, cut: Proxy) -> None:
    async with database.unit_of_work() as session:
        try:
            await session.execute(text("INSERT INTO t VALUES (1)"))
        finally:
            cut.hold()
        await session.execute(text("INSERT INTO t VALUES (2)"))


async def writes(database: Database, number: int) -> bool:
    """Whether `number` could be written; where a machine is busy an answer may come too late."""
    try:
        await run(database, f"INSERT INTO t VALUES ({number}) ON CONFLICT DO NOTHING")
    except StoreError:
        return False
    return True


@on_postgres
async def test_a_server_that_is_cut_off_is_given_up_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing ends such a connection for a quarter of an hour but we ourselves."""
    async with empty_database("postgres", tmp_path) as database:
        await run(database, "CREATE TABLE t (n INTEGER PRIMARY KEY)")
        monkeypatch.setattr(db, "ANSWER_TIMEOUT_S", 0.3)
        monkeypatch.setattr(db, "CONNECT_TIMEOUT_S", 0.5)
        async with asyncio.timeout(60), cut_of(database.url) as (cut, far):
            with pytest.raises(StoreError):
                await cut_short(far, cut)
            with pytest.raises(StoreError):  # from the pool
                await far.ping()
            cut.go_on()
            await until(lambda: writes(far, 3), "it is found again")
            assert await count(database) == 1


@on_postgres
async def test_what_a_client_held_that_was_cut_off_is_free_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server hears nothing of it, and would keep its transaction for hours."""
    async with empty_database("postgres", tmp_path) as database:
        await run(database, "CREATE TABLE t (n INTEGER PRIMARY KEY)")
        monkeypatch.setattr(db, "ANSWER_TIMEOUT_S", 0.3)
        async with cut_of(database.url) as (cut, far):
            with pytest.raises(StoreError):
                await cut_short(far, cut)
            await until(lambda: writes(database, 1), "the row that the other one was about to write is free")
            assert await count(database) == 1
