"""Flags over a period, by rule, from those that incidents are made of."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Integer, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.core.plan import rank
from services.alerts.periodic.period import Period
from services.alerts.recorder.figures import FlagFigures, RuleFigures, Share
from services.alerts.recorder.people import People
from services.alerts.tables import FlagRow

MOST_SHARES: Final = 5


async def figures(session: AsyncSession, site: str, who: People, period: Period) -> FlagFigures:
    """Flags that were raised in the period."""
    row = FlagRow
    where = (col(row.site) == site, col(row.raised) >= period.start, col(row.raised) < period.end)
    agents = await _shares(session, where, "agent", who.name)
    queues = await _shares(session, where, "queue", lambda key: who.config.queue(key).label or key)
    by = (col(row.rule), col(row.severity), col(row.subject))
    ended = col(row.status) == "cleared"
    statement = (
        select(
            *by,
            func.count(),
            func.sum(_one_if(ended)),
            func.sum(_one_if(col(row.status) == "unheard")),
            func.sum(_one_if(col(row.simulated))),
            func.sum(_one_if(col(row.replay))),
            func.sum(case((ended, col(row.duration_s)), else_=0.0)),
            func.max(case((ended, col(row.duration_s)))),
        )
        .where(*where)
        .group_by(*by)
        .order_by(*by)
    )
    severities: dict[str, int] = {}
    rules: dict[str, RuleFigures] = {}
    for rule, severity, subject, count, over, unheard, simulated, replay, total, longest in await session.execute(
        statement
    ):
        severities[severity] = severities.get(severity, 0) + count
        before = rules.get(rule)
        rules[rule] = RuleFigures(
            rule=rule,
            severity=max(severity, before.severity, key=rank) if before else severity,
            subject=before.subject if before else subject,
            count=count + (before.count if before else 0),
            ended=int(over) + (before.ended if before else 0),
            unheard=int(unheard) + (before.unheard if before else 0),
            standing=count - int(over) - int(unheard) + (before.standing if before else 0),
            total_s=float(total) + (before.total_s if before else 0.0),
            longest_s=_longer(longest, before.longest_s if before else None),
            simulated=int(simulated) + (before.simulated if before else 0),
            replay=int(replay) + (before.replay if before else 0),
            by_agent=agents.get(rule, ()),
            by_queue=queues.get(rule, ()),
        )
    return FlagFigures(
        count=sum(severities.values()),
        by_severity=dict(sorted(severities.items(), key=lambda pair: -rank(pair[0]))),
        rules=tuple(sorted(rules.values(), key=lambda one: (-one.count, one.rule))),
    )


def _one_if(condition: Any) -> Any:
    return cast(case((condition, 1), else_=0), Integer)


def _longer(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


async def _shares(session: AsyncSession, where: Any, label: str, name: Any) -> dict[str, tuple[Share, ...]]:
    """By rule the agents, or queues, with most flags."""
    row = FlagRow
    key = col(row.labels)[label].as_string()
    of = (
        select(col(row.rule).label("rule"), key.label("key"), col(row.duration_s).label("lasted"))
        .where(*where)
        .subquery()
    )
    count, lasted = func.count().label("count"), func.coalesce(func.sum(of.c.lasted), 0.0).label("lasted")
    sums = (
        select(of.c.rule, of.c.key, count, lasted)
        .where(of.c.key.is_not(None), of.c.key != "")
        .group_by(of.c.rule, of.c.key)
    )
    each = sums.subquery()
    place = (
        func.row_number().over(partition_by=each.c.rule, order_by=(each.c["count"].desc(), each.c.key)).label("place")
    )
    best = select(each, place).subquery()
    rows = await session.execute(
        select(best.c.rule, best.c.key, best.c["count"], best.c.lasted)
        .where(best.c.place <= MOST_SHARES)
        .order_by(best.c.rule, best.c.place)
    )
    found: dict[str, list[Share]] = {}
    for rule, one, number, total in rows:
        found.setdefault(rule, []).append(Share(key=one, label=name(one), count=number, total_s=float(total)))
    return {rule: tuple(shares) for rule, shares in found.items()}
