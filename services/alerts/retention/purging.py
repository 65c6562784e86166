"""Removes what is older than the alert file lets it be kept, in small transactions, and writes down what it removed.

What is to go is looked for outside of any transaction that writes; each batch looks again, under a lock, whether it still is, so
that what somebody reopens meanwhile stays. The row of the purge is brought up to date in each batch's own transaction: cut short
at any moment, it says exactly what is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import msgspec
import structlog
from sqlalchemy import func, select, update
from sqlmodel import col

from services.alerts.retention.groups import GROUPS, Group, Kept
from services.alerts.retention.keeping import Retention
from services.alerts.retention.rows import Key, Removed, counted, keys_of, remove
from services.alerts.retention.tables import PurgeRow
from shared.clock import Clock
from shared.db import Database, insert_into
from shared.errors import StoreError

log = structlog.get_logger(__name__)

PAGE: Final = 10_000  # keys looked for at a time: the search may read a whole table
BATCH: Final = 500  # rows, and what goes with them, in one transaction: some milliseconds
RETRY_S: Final = 5.0
RETRIES: Final = 12  # a minute; then the next day will do


class Purges:
    """What a service, or a command, removes; and what was removed so far."""

    def __init__(self, database: Database, clock: Clock, groups: Sequence[Group] = GROUPS) -> None:
        self._database = database
        self._clock = clock
        self._groups = groups

    async def would(self, retention: Retention) -> list[Removed]:
        """What a purge would remove now. Raises StoreError."""
        found: list[Removed] = []
        async with self._database.reading(long=True) as session:
            for group, kept, before in self._old(retention):
                found += await counted(session, group, kept, before)
        return found

    async def purge(self, retention: Retention, *, by: str, day: str | None = None) -> PurgeRow | None:
        """Remove it. `day`: of what is done once a day; None when another instance does that one. Raises StoreError."""
        number = await self._begin(by, day)
        if number is None:
            return None
        removed: dict[str, Removed] = {}
        for group, kept, before in self._old(retention):
            removed = await self._empty(number, group, kept, before, removed)
        async with self._database.unit_of_work() as session:
            row = await session.get_one(PurgeRow, number)
            row.finished_at = self._clock.now()
        return row

    async def last_day(self) -> str | None:
        """The newest day that has one. Raises StoreError."""
        async with self._database.reading() as session:
            return await session.scalar(select(func.max(PurgeRow.day)))

    async def newest(self, limit: int, before: int | None = None) -> list[PurgeRow]:
        """The newest first, those with a lower number than `before`. Raises StoreError."""
        statement = select(PurgeRow).order_by(col(PurgeRow.id).desc()).limit(limit)
        if before is not None:
            statement = statement.where(col(PurgeRow.id) < before)
        async with self._database.reading() as session:
            return list((await session.scalars(statement)).all())

    def _old(self, retention: Retention) -> Iterator[tuple[str, Kept, datetime]]:
        """Each table that is not kept for ever, with the moment before which what is in it may go."""
        now = self._clock.now()
        for group in self._groups:
            keep = retention.keep[group.name]
            if keep is not None:
                yield from ((group.name, kept, now - keep) for kept in group.tables)

    async def _begin(self, by: str, day: str | None) -> int | None:
        row: dict[str, object] = {"day": day, "by": by, "started_at": self._clock.now(), "rows": 0, "removed": []}
        async with self._database.unit_of_work() as session:
            insert = insert_into(session, PurgeRow).values(**row).on_conflict_do_nothing()
            return await session.scalar(insert.returning(col(PurgeRow.id)))

    async def _empty(
        self, number: int, group: str, kept: Kept, before: datetime, removed: dict[str, Removed]
    ) -> dict[str, Removed]:
        """All that may go of one table, and what goes with it; `removed` with that."""
        while True:
            async with self._database.reading(long=True) as session:
                found = await session.execute(keys_of(kept, before).order_by(kept.age).limit(PAGE))
                keys = [tuple(key) for key in found.all()]
            rows_before = _rows(removed)
            for start in range(0, len(keys), BATCH):
                began = self._clock.monotonic()
                some = keys[start : start + BATCH]
                removed = await self._patiently(partial(self._removed, number, group, kept, before, some, removed))
                if (took := self._clock.monotonic() - began) > 0:
                    await self._clock.sleep(took)  # who waits for the database has a turn
            if len(keys) < PAGE or _rows(removed) == rows_before:
                return removed

    async def _patiently(self, batch: Callable[[], Awaitable[dict[str, Removed]]]) -> dict[str, Removed]:
        for _ in range(RETRIES):
            try:
                return await batch()
            except StoreError as exc:
                log.warning("old rows cannot be removed now", reason=str(exc), again_after_s=RETRY_S)
                await self._clock.sleep(RETRY_S)
        return await batch()

    async def _removed(
        self,
        number: int,
        group: str,
        kept: Kept,
        before: datetime,
        keys: Sequence[Key],
        removed: Mapping[str, Removed],
    ) -> dict[str, Removed]:
        """One transaction: rows removed, and the purge's own row with their number."""
        after = dict(removed)
        async with self._database.unit_of_work() as session:
            for one in await remove(session, group, kept, before, keys):
                after[one.table] = after[one.table] + one if one.table in after else one
            values = {"removed": msgspec.to_builtins([*after.values()]), "rows": _rows(after)}
            await session.execute(update(PurgeRow).where(col(PurgeRow.id) == number).values(**values))
        return after


def _rows(removed: Mapping[str, Removed]) -> int:
    return sum(one.rows for one in removed.values())
