"""What of a period is recorded, and of what origin."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.periodic.period import Period
from services.alerts.recorder.days import quarter_of
from services.alerts.recorder.figures import Coverage, Gap, Origin
from services.alerts.recorder.reading import QUARTER
from services.alerts.recorder.tables import OriginDayRow, SiteRow, SlotRow

MOST_GAPS: Final = 20


async def known_until(session: AsyncSession, site: str, now: datetime) -> datetime:
    """How far the site's time has come: now, or beyond it on a floor whose time goes faster than ours."""
    newest = await session.scalar(select(col(SiteRow.until)).where(col(SiteRow.site) == site))
    return now if newest is None else max(now, newest)


async def figures(session: AsyncSession, site: str, period: Period, until: datetime) -> Coverage:
    """By quarters of an hour, as far as the period is over at `until`."""
    rows = await session.scalars(
        select(col(SlotRow.started_at))
        .where(col(SlotRow.site) == site, col(SlotRow.started_at) > period.start - QUARTER)
        .where(col(SlotRow.started_at) < period.end)
        .order_by(col(SlotRow.started_at))
    )
    return covered(rows.all(), period.start, min(period.end, until))


def covered(recorded: Iterable[datetime], start: datetime, end: datetime) -> Coverage:
    """Of the stretch from `start` to `end`, where these quarters, in order, are recorded. A quarter that runs counts as over."""
    expected = _quarters(start, end)
    count, reached, gaps = 0, start, list[Gap]()
    first = last = None
    for at in recorded:
        begin, ends = max(at, start), min(at + QUARTER, end)
        if begin >= ends:
            continue
        count += 1
        first = begin if first is None else first
        if begin > reached:
            gaps.append(Gap(started_at=reached, ended_at=begin))
        last = reached = ends
    if reached < end:
        gaps.append(Gap(started_at=reached, ended_at=end))
    gaps.sort(key=lambda gap: (gap.started_at - gap.ended_at, gap.started_at))
    return Coverage(
        intervals=expected,
        recorded=count,
        share=count / expected if expected else None,
        first=first,
        last=last,
        gaps=tuple(gaps[:MOST_GAPS]),
        gap_count=len(gaps),
    )


def _quarters(start: datetime, end: datetime) -> int:
    """How many quarters of an hour the stretch touches."""
    if end <= start:
        return 0
    return -((quarter_of(start) - end) // timedelta(minutes=15))


async def origin(session: AsyncSession, site: str, period: Period) -> Origin:
    """Whose records they are."""
    row = OriginDayRow
    found = await session.scalars(
        select(col(row.origin))
        .where(col(row.site) == site, col(row.day) >= period.first, col(row.day) <= period.last)
        .distinct()
    )
    known = set(found.all())
    if not known:
        return "none"
    return known.pop() if len(known) == 1 else "mixed"  # type: ignore[return-value]  # written by `reading`
