"""A consumer's offsets in its database: written in the transaction that holds their result, so that neither is without the other.

A service has a table with these columns: topic, partition (together its key), next_offset, last_record, updated_at.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.bus import Partition
from shared.db import insert_into


class Position(Struct, frozen=True):
    """How far a partition was consumed, and a fingerprint of the last record that was."""

    next_offset: int
    last_record: str


class Positions:
    """What was consumed, in the table `row`."""

    def __init__(self, session: AsyncSession, row: Any) -> None:
        self._session = session
        self._row = row

    async def all(self, topic: str, *, for_change: bool = False) -> dict[Partition, Position]:
        """By partition; with `for_change` a second replica waits here until this one is done."""
        query = select(self._row).where(self._row.topic == topic).order_by(self._row.partition)
        rows = await self._session.scalars(query.with_for_update() if for_change else query)
        return {(row.topic, row.partition): Position(row.next_offset, row.last_record) for row in rows}

    async def save(self, positions: Mapping[Partition, Position], now: datetime) -> None:
        """Move on to these."""
        rows = [
            {
                "topic": topic,
                "partition": partition,
                "next_offset": position.next_offset,
                "last_record": position.last_record,
                "updated_at": now,
            }
            for (topic, partition), position in positions.items()
        ]
        if not rows:
            return
        table = self._row.__table__
        new = insert_into(self._session, table)
        changed = {name: new.excluded[name] for name in ("next_offset", "last_record", "updated_at")}
        keys = [table.c.topic, table.c.partition]
        await self._session.execute(new.on_conflict_do_update(index_elements=keys, set_=changed), rows)

    async def forget(self, topic: str) -> None:
        """The log they were of is gone."""
        await self._session.execute(delete(self._row).where(self._row.topic == topic))
