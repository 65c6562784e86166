"""Incidents over a period, from their histories: how many, how soon somebody took them, how soon they were over. Our clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.core.plan import SEVERITIES, rank
from services.alerts.periodic.period import Period
from services.alerts.recorder import spread
from services.alerts.recorder.figures import IncidentFigures, IncidentLine, SeverityFigures, Share
from services.alerts.recorder.reading import micros_between
from services.alerts.tables import EventRow, IncidentRow

MOST_LONGEST: Final = 10
MOST_OPEN: Final = 50
_SECOND: Final = 1_000_000
_OPENS: Final = ("opened", "reopened")
_TAKES: Final = ("acknowledged", "assigned")
_RESOLVES: Final = ("resolved", "resolved_quiet")


class Life(Struct):
    """What an incident's history says until the end of the period, or until now."""

    line: IncidentLine
    state: str = ""  # at that moment; "" before it opened
    opened: int = 0  # in the period, as all that follow
    reopened: int = 0
    acknowledged: int = 0
    resolved: int = 0
    resolved_quiet: int = 0
    to_acknowledge_us: list[int] = field(default_factory=list)
    to_resolve_us: list[int] = field(default_factory=list)
    since: datetime | None = None  # this opening
    taken: bool = False
    resolved_at: datetime | None = None


async def figures(session: AsyncSession, site: str, period: Period, now: datetime) -> IncidentFigures:
    """Incidents of the site that were open in the period."""
    until = min(period.end, now)
    lives = await _lives(session, site, period, now)
    seen = [one for one in lives.values() if one.state]
    by_severity = [
        _figures(severity, [one for one in seen if one.line.severity == severity]) for severity in reversed(SEVERITIES)
    ]
    lines = [(_line(one, until), one) for one in seen]
    longest = sorted(lines, key=lambda pair: (-pair[0].lasted_s, pair[0].number))
    standing = [line for line, one in lines if one.state != "resolved"]
    standing.sort(key=lambda line: (-rank(line.severity), line.opened_at, line.number))
    return IncidentFigures(
        total=_figures("", seen),
        by_severity=tuple(one for one in by_severity if one.opened or one.reopened or one.resolved or one.open),
        by_rule=_by_rule(seen),
        longest=tuple(line for line, _ in longest[:MOST_LONGEST]),
        still_open=tuple(standing[:MOST_OPEN]),
    )


async def _lives(session: AsyncSession, site: str, period: Period, now: datetime) -> Mapping[int, Life]:
    row, event = IncidentRow, EventRow
    which = (
        col(row.site) == site,
        col(row.opened_at) < period.end,
        col(row.opened_at) <= now,
        or_(col(row.resolved_at).is_(None), col(row.changed_at) >= period.start),
    )
    lives: dict[int, Life] = {}
    for one in (await session.execute(select(*_COLUMNS).where(*which))).mappings():
        same = {name: one[name] for name in _SAME}
        line = IncidentLine(number=one["id"], state="", resolved_at=None, lasted_s=0.0, **same)
        lives[line.number] = Life(line)
    told = (
        select(col(event.incident_id), col(event.kind), col(event.at))
        .join(row, col(row.id) == col(event.incident_id))
        .where(
            *which,
            col(event.at) < period.end,
            col(event.at) <= now,
            col(event.kind).in_((*_OPENS, *_TAKES, *_RESOLVES)),
        )
        .order_by(col(event.incident_id), col(event.seq))
    )
    for number, kind, at in await session.execute(told):
        if number in lives:
            _step(lives[number], kind, at, at >= period.start)
    return {number: one for number, one in lives.items() if one.resolved_at is None or one.resolved_at >= period.start}


_SAME: Final = ("rule", "severity", "summary_en", "summary_zh", "opened_at", "owner")
_COLUMNS: Final = tuple(col(getattr(IncidentRow, name)) for name in ("id", *_SAME))


def _step(one: Life, kind: str, at: datetime, counts: bool) -> None:
    """One line of the history; `counts`: it is of the period."""
    if kind in _OPENS:
        one.state, one.since, one.taken, one.resolved_at = "open", at, False, None
        if counts:
            one.opened += kind == "opened"
            one.reopened += kind == "reopened"
        return
    if kind in _TAKES:
        one.state = "acknowledged"
        if not one.taken and one.since is not None and counts:
            one.acknowledged += 1
            one.to_acknowledge_us.append(micros_between(one.since, at))
        one.taken = True
        return
    one.state, one.resolved_at = "resolved", at
    if counts and one.since is not None:
        one.resolved += 1
        one.resolved_quiet += kind == "resolved_quiet"
        one.to_resolve_us.append(micros_between(one.since, at))


def _figures(severity: str, lives: Sequence[Life]) -> SeverityFigures:
    standing = [one for one in lives if one.state != "resolved"]
    return SeverityFigures(
        severity=severity,
        opened=sum(one.opened for one in lives),
        reopened=sum(one.reopened for one in lives),
        acknowledged=sum(one.acknowledged for one in lives),
        resolved=sum(one.resolved for one in lives),
        resolved_quiet=sum(one.resolved_quiet for one in lives),
        open=len(standing),
        not_taken=sum(one.state == "open" for one in standing),
        to_acknowledge=spread.of([us for one in lives for us in one.to_acknowledge_us]),
        to_resolve=spread.of([us for one in lives for us in one.to_resolve_us]),
    )


def _by_rule(lives: Iterable[Life]) -> tuple[Share, ...]:
    count: dict[str, int] = {}
    lasted: dict[str, int] = {}
    for one in lives:
        count[one.line.rule] = count.get(one.line.rule, 0) + one.opened
        lasted[one.line.rule] = lasted.get(one.line.rule, 0) + sum(one.to_resolve_us)
    rules = sorted((rule for rule, number in count.items() if number), key=lambda rule: (-count[rule], rule))
    return tuple(Share(key=rule, label=rule, count=count[rule], total_s=lasted[rule] / _SECOND) for rule in rules)


def _line(one: Life, until: datetime) -> IncidentLine:
    line = one.line
    ended = until if one.resolved_at is None else one.resolved_at
    return IncidentLine(
        number=line.number,
        rule=line.rule,
        severity=line.severity,
        state=one.state,
        summary_en=line.summary_en,
        summary_zh=line.summary_zh,
        opened_at=line.opened_at,
        resolved_at=one.resolved_at,
        owner=line.owner,
        lasted_s=max(0.0, (ended - (one.since or line.opened_at)).total_seconds()),
    )
