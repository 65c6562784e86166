"""What a silence would hold, before it is made: now, and what of the last days it would have."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.core.incident import Incident
from services.alerts.core.labels import Matcher, fits, labels_of
from services.alerts.core.urgency import FIRST_RESOLVED
from services.alerts.repositories import Incidents, Query
from services.alerts.silences.repository import LABELLED
from services.alerts.tables import EventRow, IncidentRow
from services.alerts.visibility import conditions
from shared.auth import Scope

DAYS: Final = 7
MOST_SHOWN: Final = 200
MOST_PAST: Final = 50_000  # incidents of the last days that are compared, newest first
_AT_A_TIME: Final = 500
_OTHERWISE_TOLD: Final = ("recheck", "action_due", "resolved")  # told of what is over, whatever is silenced


class RuleCount(Struct, frozen=True):
    rule: str
    incidents: int
    notifications: int


class Past(Struct, frozen=True):
    """Of the last `DAYS` days: incidents that would have been held, and how often people would not have been told."""

    incidents: int
    notifications: int
    by_rule: list[RuleCount]
    whole: bool  # False: there were more incidents than are compared


class Preview(Struct, frozen=True):
    """`incidents`: the first of those it would hold now, most urgent first; `held_now`: how many in all."""

    incidents: list[Incident]
    held_now: int
    past: Past


async def preview(session: AsyncSession, matchers: tuple[Matcher, ...], scope: Scope, now: datetime) -> Preview:
    """What these matchers fit, as far as the scope reaches."""
    query = Query(states=("open", "acknowledged"), scope=scope, order="urgency", limit=MOST_PAST)
    numbers = await _fitting_now(session, matchers, query)
    shown = await Incidents(session).numbers(numbers[:MOST_SHOWN])
    return Preview(shown, len(numbers), await _past(session, matchers, scope, now))


async def _fitting_now(session: AsyncSession, matchers: tuple[Matcher, ...], query: Query) -> list[int]:
    rows = _labelled(
        session,
        select(*LABELLED)
        .where(*conditions(query.scope), col(IncidentRow.urgency) < FIRST_RESOLVED, *_of_rules(matchers))
        .order_by(col(IncidentRow.urgency), col(IncidentRow.id))
        .limit(query.limit),
    )
    return [row.id async for row in rows if fits(matchers, labels_of(row))]


async def _labelled(session: AsyncSession, statement: Select[Any]) -> AsyncIterator[Any]:
    """The rows, a few at a time: what reads fifty thousand at once has everybody else wait for a second."""
    rows = await session.stream(statement)
    try:
        async for some in rows.partitions(_AT_A_TIME):
            for row in some:
                yield row
    finally:
        await rows.close()


async def _past(session: AsyncSession, matchers: tuple[Matcher, ...], scope: Scope, now: datetime) -> Past:
    statement = (
        select(*LABELLED)
        .where(*conditions(scope), *_of_rules(matchers), col(IncidentRow.opened_at) >= now - timedelta(days=DAYS))
        .order_by(col(IncidentRow.opened_at).desc())
        .limit(MOST_PAST)
    )
    compared, rule_of = 0, dict[int, str]()
    async for row in _labelled(session, statement):
        compared += 1
        if fits(matchers, labels_of(row)):
            rule_of[row.id] = row.rule
    told: Counter[str] = Counter()
    for number, times in (await _told(session, list(rule_of))).items():
        told[rule_of[number]] += times
    incidents = Counter(rule_of.values())
    by_rule = [RuleCount(rule, count, told[rule]) for rule, count in incidents.most_common()]
    return Past(len(rule_of), told.total(), by_rule, compared < MOST_PAST)


async def _told(session: AsyncSession, numbers: Sequence[int]) -> Counter[int]:
    """How often people were told of each, of what a silence would have held."""
    found: Counter[int] = Counter()
    reason = col(EventRow.data)["reason"].as_string()
    for first in range(0, len(numbers), _AT_A_TIME):
        rows = await session.execute(
            select(col(EventRow.incident_id), func.count())
            .where(col(EventRow.incident_id).in_(numbers[first : first + _AT_A_TIME]))
            .where(col(EventRow.kind) == "told", reason.not_in(_OTHERWISE_TOLD))
            .group_by(col(EventRow.incident_id))
        )
        found.update(dict(rows.all()))
    return found


def _of_rules(matchers: tuple[Matcher, ...]) -> list[ColumnElement[bool]]:
    """What the database can tell of the matchers by its indexes; the rest is compared here."""
    columns = {"site": IncidentRow.site, "rule": IncidentRow.rule}
    return [
        col(columns[one.label]).in_(one.values)
        for one in matchers
        if one.label in columns and not one.negated and not any(set("*?") & set(value) for value in one.values)
    ]
