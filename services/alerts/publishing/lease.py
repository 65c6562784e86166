"""Work that one of several instances does at a time. Who stops saying that it does it, loses it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, or_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.publishing.tables import LeaseRow
from shared.db import insert_into


async def claim(session: AsyncSession, name: str, holder: str, now: datetime, lasting: timedelta) -> bool:
    """Whether `holder` has it, from `now` until `now + lasting`. The caller's unit of work commits.

    Clocks of instances that differ by more than `lasting` let two have it at once; what needs it must bear that. One that is to
    last much longer than anybody says was written before the clock was set back: it is over.
    """
    values = {"name": name, "holder": holder, "until": now + lasting}
    made: CursorResult[None] = await session.execute(  # type: ignore[assignment]
        insert_into(session, LeaseRow).values(**values).on_conflict_do_nothing()
    )
    if made.rowcount == 1:
        return True
    theirs = or_(col(LeaseRow.holder) == holder, col(LeaseRow.until) <= now, col(LeaseRow.until) > now + 3 * lasting)
    taken: CursorResult[None] = await session.execute(  # type: ignore[assignment]
        update(LeaseRow).where(col(LeaseRow.name) == name, theirs).values(holder=holder, until=now + lasting)
    )
    return taken.rowcount == 1


async def give_up(session: AsyncSession, name: str, holder: str, now: datetime) -> None:
    """Let another have it at once, if `holder` has it."""
    mine = (col(LeaseRow.name) == name, col(LeaseRow.holder) == holder)
    await session.execute(update(LeaseRow).where(*mine).values(until=now))
