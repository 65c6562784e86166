"""How values are spread. Percentiles by nearest rank: the smallest value that at least so much of all do not exceed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.alerts.recorder.figures import NO_SPREAD, Spread

_SECOND: Final = 1_000_000
_PERCENTS: Final = (50, 90, 95)


def rank(percent: int, count: int) -> int:
    """Which of `count` sorted values is the percentile, from 1."""
    return max(1, -(-percent * count // 100))


def of(values_us: Sequence[int]) -> Spread:
    """Of these values, microseconds."""
    if not values_us:
        return NO_SPREAD
    ordered = sorted(values_us)
    p50, p90, p95 = (ordered[rank(percent, len(ordered)) - 1] / _SECOND for percent in _PERCENTS)
    mean = sum(ordered) / len(ordered) / _SECOND
    return Spread(count=len(ordered), mean_s=mean, p50_s=p50, p90_s=p90, p95_s=p95, max_s=ordered[-1] / _SECOND)


async def in_database(session: AsyncSession, value: Any, *where: ColumnElement[bool]) -> Spread:
    """Of a column of microseconds, over the rows that fit and have a value; none of them is fetched."""
    where = (*where, value.is_not(None))
    count, total, most = (
        await session.execute(select(func.count(), func.sum(value), func.max(value)).where(*where))
    ).one()
    if not count:
        return NO_SPREAD
    ranks = {percent: rank(percent, count) for percent in _PERCENTS}
    numbered = (
        select(value.label("value"), func.row_number().over(order_by=value).label("rank")).where(*where).subquery()
    )
    found = await session.execute(
        select(numbered.c.rank, numbered.c.value).where(numbered.c.rank.in_(sorted(set(ranks.values()))))
    )
    at = {place: int(us) / _SECOND for place, us in found}
    return Spread(
        count=count,
        mean_s=int(total) / count / _SECOND,
        p50_s=at[ranks[50]],
        p90_s=at[ranks[90]],
        p95_s=at[ranks[95]],
        max_s=int(most) / _SECOND,
    )
