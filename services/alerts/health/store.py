"""When sites were heard last, as the database remembers it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.health.tables import HeardRow
from shared.db import insert_into


class Heard:
    """Queries; the caller's unit of work commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> dict[str, datetime]:
        rows = await self._session.execute(select(col(HeardRow.site), col(HeardRow.heard_at)))
        return dict(rows.all())

    async def keep(self, heard: dict[str, datetime]) -> None:
        """What another instance heard later stays."""
        for site, at in sorted(heard.items()):
            statement = insert_into(self._session, HeardRow).values(site=site, heard_at=at)
            await self._session.execute(
                statement.on_conflict_do_update(
                    index_elements=["site"], set_={"heard_at": at}, where=col(HeardRow.heard_at) < at
                )
            )
