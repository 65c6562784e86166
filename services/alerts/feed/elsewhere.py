"""Changes that another instance of the service made: its pages hear of them from it, ours from the history in the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlmodel import col

from services.alerts.desk import Desk
from services.alerts.feed.hub import Hub
from services.alerts.tables import EventRow
from shared.clock import Clock
from shared.db import Database
from shared.errors import StoreError

log = structlog.get_logger()

LOOK_S: Final = 1.0
_AGAIN: Final = 500  # rows that are looked at once more: one with a lower number may be committed later,
_LATE: Final = timedelta(seconds=30)  # but not later than this after its time
_ONE_BY_ONE: Final = 100  # changed incidents; more are a list to be asked for anew


async def follow(hub: Hub, desk: Desk, database: Database, clock: Clock) -> None:
    """Tell the pages of this instance, as long as there are any."""
    seen: int | None = None  # the history's last row
    while True:
        await hub.somebody()
        await clock.sleep(LOOK_S)
        try:
            seen = await look(hub, desk, database, clock, seen)
        except StoreError as exc:
            log.warning("cannot look for changes of other instances", error=str(exc))


async def look(hub: Hub, desk: Desk, database: Database, clock: Clock, seen: int | None) -> int:
    """Tell what changed since row `seen` of the history (None: only of late) and was not told yet; the last row now.

    Raises StoreError.
    """
    of_late = col(EventRow.at) >= clock.now() - _LATE
    async with database.reading() as session:
        last = await session.scalar(select(func.max(col(EventRow.id)))) or 0
        rows = await session.execute(
            select(col(EventRow.incident_id), func.max(col(EventRow.seq)))
            .where(col(EventRow.id) > (last if seen is None else seen) - _AGAIN, of_late)
            .group_by(col(EventRow.incident_id))
        )
        missed = [number for number, version in rows.all() if hub.told(number) < version]
    if len(missed) > _ONE_BY_ONE:
        hub.resync()
    else:
        await desk.touched(missed)
    return last
