"""The way from a monitor's desk to PostgreSQL is slow, breaks off at random bytes, and falls silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from services.monitor.desk.store import MIGRATIONS
from shared import db
from shared.db import Database
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_RECORDS, SWITCH_DEAD_LETTER
from tests.databases import POSTGRES, migrated_database, through
from tests.deskkit import DeskClient, record, serving_desk, transfer_ended
from tests.netkit import Proxy, proxied
from tests.waiting import until

pytestmark = [
    pytest.mark.fault,
    pytest.mark.postgres,
    pytest.mark.skipif(not POSTGRES, reason="make test-postgres"),
]


@pytest.fixture
async def bus() -> MemoryBus:
    made = MemoryBus()
    await made.create((FLOOR_RECORDS, SWITCH_DEAD_LETTER))
    return made


@pytest.fixture
async def near(tmp_path: Path) -> AsyncIterator[Database]:
    """The database itself."""
    async with migrated_database("postgres", tmp_path, MIGRATIONS) as made:
        yield made


@pytest.fixture
async def way(near: Database) -> AsyncIterator[Proxy]:
    async with proxied(make_url(POSTGRES).port or 5432, seed=41) as made:
        yield made


@pytest.fixture
async def far(near: Database, way: Proxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """The same through the proxy, whose silence is not waited for as long as usual."""
    monkeypatch.setattr(db, "ANSWER_TIMEOUT_S", 2.0)
    made = Database(through(near.url, way.port))
    yield made
    await made.close()


class Writer:
    """Writes a preference again and again, and knows what was taken."""

    def __init__(self, desk: DeskClient, near: Database) -> None:
        self._desk, self._near = desk, near
        self.taken = self.number = 0

    async def writes(self) -> bool:
        """Whether it was taken."""
        self.number += 1
        answer = await self._desk.client.put("/api/v1/preferences/k", json=self.number)
        if answer.status_code == 200:
            self.taken = self.number
            return True
        assert answer.status_code == 503, answer.text
        return False

    async def is_refused(self) -> bool:
        return not await self.writes()

    async def there(self) -> int:
        async with self._near.reading() as session:
            found = await session.scalar(text("SELECT value FROM preferences"))
        return int(str(found))


async def ended(near: Database) -> list[str]:
    async with near.reading() as session:
        return [one for (one,) in await session.execute(text("SELECT transfer_id FROM transfers ORDER BY 1"))]


async def test_a_way_to_the_database_that_breaks_off_and_falls_silent_costs_the_desk_nothing(
    bus: MemoryBus, near: Database, far: Database, way: Proxy
) -> None:
    names = [f"t{number:03}" for number in range(90)]
    async with serving_desk(far, records=bus) as desk:
        writer = Writer(desk, near)

        async def recorded(number: int) -> bool:
            return await ended(near) == names[:number]

        way.up.latency_s = way.down.latency_s = 0.005
        way.up.pieces = way.down.pieces = (1, 9)
        await record(bus, *(transfer_ended(name) for name in names[:30]))
        await until(lambda: recorded(30), "all are in the database")
        assert await writer.writes()

        way.up.reset_after = way.down.reset_after = (500, 20_000)
        way.reset()
        for number in range(30, 60):
            await record(bus, transfer_ended(names[number]))
            await writer.writes()
        while way.resets <= 5:  # what is written is what is carried
            await writer.writes()
        way.restore()
        await until(lambda: recorded(60), "each is there once")
        await until(writer.writes, "it can be written again")
        assert await writer.there() == writer.taken

        way.go_silent()
        await record(bus, *(transfer_ended(name) for name in names[60:]))
        await until(writer.is_refused, "what cannot be written is refused")
        await until(lambda: desk.metric("monitor_database_up") == 0, "the metric says so")
        before = writer.taken
        assert await writer.there() == before, "what was refused is not there"
        way.restore()
        await until(writer.writes, "it can be written again")
        await until(lambda: recorded(90), "each is there once")
        await until(lambda: desk.metric("monitor_database_up") == 1, "the metric says so")
        assert await writer.there() == writer.taken
    assert bus.records(SWITCH_DEAD_LETTER) == []
