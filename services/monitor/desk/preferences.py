"""What users chose for their pages, as JSON by key."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.desk.tables import PreferenceRow
from shared.errors import FloorwatchError

MOST_BYTES: Final = 8192
MOST_KEYS: Final = 50


class TooManyPreferences(FloorwatchError):
    """A user may keep only so many."""


class Preferences:
    """Queries of preferences; the caller's unit of work commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self, user: str) -> dict[str, str]:
        """The user's preferences: key -> JSON."""
        rows = await self._session.scalars(
            select(PreferenceRow).where(col(PreferenceRow.user) == user).order_by(col(PreferenceRow.key))
        )
        return {row.key: row.value for row in rows}

    async def put(self, user: str, key: str, value: str, now: datetime) -> None:
        """Keep `value` (JSON). Raises TooManyPreferences."""
        row = await self._session.get(PreferenceRow, (user, key))
        if row is not None:
            row.value, row.changed_at = value, now
            self._session.add(row)
        else:
            count = select(func.count()).select_from(PreferenceRow).where(col(PreferenceRow.user) == user)
            if (await self._session.scalar(count) or 0) >= MOST_KEYS:
                raise TooManyPreferences(f"{user} has {MOST_KEYS} preferences already; delete one first")
            self._session.add(PreferenceRow(user=user, key=key, value=value, changed_at=now))
        await self._session.flush()

    async def forget(self, user: str, key: str) -> None:
        """Forget one, if there is such a one."""
        await self._session.execute(
            delete(PreferenceRow).where(col(PreferenceRow.user) == user, col(PreferenceRow.key) == key)
        )
