"""What a connection to PostgreSQL leaves behind on the server when its way falls silent, and who ends that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.engine import make_url

from shared import db
from shared.db import Database
from shared.errors import StoreError
from tests.databases import POSTGRES, empty_database, through
from tests.netkit import Proxy, proxied

pytestmark = [pytest.mark.postgres, pytest.mark.skipif(not POSTGRES, reason="make test-postgres")]


@pytest_asyncio.fixture
async def way() -> AsyncIterator[Proxy]:
    async with proxied(make_url(POSTGRES).port or 5432) as way:
        yield way


@pytest_asyncio.fixture
async def far(way: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A database with a row, by a way that a test breaks, and a client that waits for an answer for two seconds at most."""
    async with empty_database("postgres", tmp_path) as near:
        async with near.unit_of_work() as session:
            await session.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY, done BOOLEAN)"))
            await session.execute(text("INSERT INTO t VALUES (1, false)"))
        monkeypatch.setattr(db, "ANSWER_TIMEOUT_S", 2)
        database = Database(through(near.url, way.port))
        yield database
        await database.close()


async def change(database: Database) -> None:
    async with database.unit_of_work() as session:
        await session.execute(text("UPDATE t SET done = true"))


async def cut_in_half(database: Database, way: Proxy) -> None:
    async with database.unit_of_work() as session:
        await session.execute(text("UPDATE t SET done = false"))
        raw = await (await session.connection()).get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.prepare("SELECT n FROM t")  # and the server waits for the values
        way.go_silent()
        await session.execute(text("SELECT n FROM t"))


async def test_what_a_statement_has_locked_that_was_cut_in_half_is_free_with_the_next_connection(
    way: Proxy, far: Database
) -> None:
    """The server takes such a session for one at work; what it held stayed locked until somebody ended it by hand."""
    with pytest.raises(StoreError):
        await cut_in_half(far, way)
    way.restore()
    await change(far)


async def test_connections_that_fell_silent_while_nobody_used_them_cost_one_wait_and_no_error(
    way: Proxy, far: Database
) -> None:
    together = asyncio.Barrier(4)

    async def use() -> None:
        async with far.reading() as session:
            await session.execute(text("SELECT 1"))
            await together.wait()

    await asyncio.gather(*(use() for _ in range(4)))
    assert way.accepted == 4
    way.go_silent()
    way.restore()
    for _ in range(4):
        await far.ping()
    await change(far)
    assert way.accepted < 10
