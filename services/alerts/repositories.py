"""Every query of the alerts service. Rows in, domain objects out; the caller's unit of work commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.core.grouping import Book
from services.alerts.core.incident import (
    ALLOWED,
    SEVERITIES,
    Change,
    Clearing,
    Entry,
    Flag,
    Incident,
    Policy,
    State,
)
from services.alerts.tables import EventRow, FlagRow, IncidentRow, PositionRow
from services.alerts.visibility import conditions
from shared import positions
from shared.auth import WHOLE, Scope

_SAME_NAME = tuple(name for name in Incident.__struct_fields__ if name not in ("group", "active", "id"))


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of incidents may be narrowed by; empty means everything. `before` is an incident's number."""

    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    rule: str = ""
    site: str = ""
    scope: Scope = WHOLE
    text: str = ""
    before: int | None = None
    limit: int = 100


class Incidents:
    """Incidents, their history and their flags."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, number: int, *, for_change: bool = False) -> Incident | None:
        """The incident; with `for_change` no other transaction can change it until this one ends."""
        query = select(IncidentRow).where(col(IncidentRow.id) == number)
        row = await self._session.scalar(query.with_for_update() if for_change else query)
        return None if row is None else (await self._domain([row]))[0]

    async def book(self, policy: Policy, flag_ids: Iterable[str], groups: Iterable[str]) -> Book:
        """Everything that flags with these ids and of these groups can touch."""
        found = await self._session.execute(
            select(col(FlagRow.flag_id), col(FlagRow.incident_id)).where(col(FlagRow.flag_id).in_(set(flag_ids)))
        )
        known: dict[str, int] = dict(found.all())
        newest = select(func.max(col(IncidentRow.id))).where(col(IncidentRow.group_key).in_(set(groups)))
        rows = await self._session.scalars(
            select(IncidentRow)
            .where(or_(col(IncidentRow.id).in_(newest.group_by(col(IncidentRow.group_key))), _in(set(known.values()))))
            .order_by(col(IncidentRow.id))
            .with_for_update()
        )
        incidents = await self._domain(rows.all())
        opened_by = {one.id: one.opened_by for one in incidents}
        return Book(policy, incidents, ((flag, opened_by[number]) for flag, number in known.items()))

    async def unresolved_of(self, group: str) -> int | None:
        """The number of the group's unresolved incident, if there is one."""
        return await self._session.scalar(
            select(col(IncidentRow.id)).where(col(IncidentRow.group_key) == group, col(IncidentRow.state) != "resolved")
        )

    async def save(self, changes: Sequence[Change], now: datetime) -> list[Incident]:
        """Write what the changes did; the incidents as they stand now, each once, with their numbers."""
        latest = {change.incident.opened_by: change.incident for change in changes}
        saved = {opened_by: await self._put(one) for opened_by, one in latest.items()}
        for change in changes:
            number = saved[change.incident.opened_by].id
            if change.flag is not None:
                self._session.add(_flag_row(change.flag, number, now))
            self._session.add(_event_row(change.entry, number))
        await self._session.flush()
        for change in changes:
            if change.clearing is not None:
                await self._clear(change.clearing)
            if change.unheard:
                unheard = col(FlagRow.flag_id).in_(change.unheard)
                await self._session.execute(update(FlagRow).where(unheard).values(status="unheard"))
        return list(saved.values())

    async def find(self, query: Query) -> list[Incident]:
        """Incidents that fit, newest first."""
        statement = select(IncidentRow).where(*_conditions(query))
        if query.before is not None:
            statement = statement.where(col(IncidentRow.id) < query.before)
        rows = await self._session.scalars(statement.order_by(col(IncidentRow.id).desc()).limit(query.limit))
        return await self._domain(rows.all())

    async def count(self, query: Query) -> dict[State, int]:
        """How many fit, by state, whatever the query says about the state."""
        statement = select(col(IncidentRow.state), func.count()).where(*_conditions(query, with_state=False))
        found = dict((await self._session.execute(statement.group_by(col(IncidentRow.state)))).all())
        return {state: found.get(state, 0) for state in ALLOWED}

    async def unresolved(self) -> dict[str, int]:
        """How many are not resolved, by severity."""
        statement = select(col(IncidentRow.severity), func.count()).where(col(IncidentRow.state) != "resolved")
        return dict((await self._session.execute(statement.group_by(col(IncidentRow.severity)))).all())

    async def entries(self, number: int) -> list[Entry]:
        """The history, oldest first."""
        rows = await self._session.scalars(
            select(EventRow).where(col(EventRow.incident_id) == number).order_by(col(EventRow.seq))
        )
        return [_entry(row) for row in rows]

    async def flags(self, number: int) -> list[tuple[Flag, Clearing | None]]:
        """The evidence, in the order in which it came."""
        rows = await self._session.scalars(
            select(FlagRow)
            .where(col(FlagRow.incident_id) == number)
            .order_by(col(FlagRow.received_at), col(FlagRow.raised))
        )
        return [(_flag(row), _clearing(row)) for row in rows]

    async def with_active_flags(self) -> list[Incident]:
        """Every incident whose condition holds as far as we know, resolved ones too."""
        numbers = select(col(FlagRow.incident_id)).where(col(FlagRow.status) == "active")
        rows = await self._session.scalars(
            select(IncidentRow).where(col(IncidentRow.id).in_(numbers)).with_for_update()
        )
        return await self._domain(rows.all())

    async def quiet_until(self, now: datetime, policy: Policy) -> list[Incident]:
        """Those whose quiet time has passed, longest quiet first; 500 at most."""
        due = [
            and_(
                col(IncidentRow.severity) == severity, col(IncidentRow.quiet_since) <= now - policy.quiet_time(severity)
            )
            for severity in SEVERITIES
        ]
        rows = await self._session.scalars(
            select(IncidentRow)
            .where(col(IncidentRow.state) == "open", or_(*due))
            .order_by(col(IncidentRow.quiet_since))
            .limit(500)
            .with_for_update()
        )
        return await self._domain(rows.all())

    async def next_quiet(self, policy: Policy) -> datetime | None:
        """When the first incident's quiet time passes; None while none is quiet."""
        deadlines = []
        for severity in SEVERITIES:
            since = await self._session.scalar(
                select(func.min(col(IncidentRow.quiet_since))).where(
                    col(IncidentRow.state) == "open", col(IncidentRow.severity) == severity
                )
            )
            if since is not None:
                deadlines.append(since + policy.quiet_time(severity))
        return min(deadlines, default=None)

    async def _put(self, incident: Incident) -> Incident:
        values = {name: getattr(incident, name) for name in _SAME_NAME}
        if incident.id:
            await self._session.execute(update(IncidentRow).where(col(IncidentRow.id) == incident.id).values(**values))
            return incident
        row = IncidentRow(group_key=incident.group, **values)
        self._session.add(row)
        await self._session.flush()
        assert row.id is not None
        return msgspec.structs.replace(incident, id=row.id)

    async def _clear(self, clearing: Clearing) -> None:
        await self._session.execute(
            update(FlagRow)
            .where(col(FlagRow.flag_id) == clearing.flag_id)
            .values(
                status="cleared",
                cleared=clearing.cleared,
                duration_s=clearing.duration_s,
                cleared_evidence=clearing.evidence,
            )
        )

    async def _domain(self, rows: Sequence[IncidentRow]) -> list[Incident]:
        numbers = {row.id for row in rows}
        active: dict[int, set[str]] = {}
        found = await self._session.execute(
            select(col(FlagRow.incident_id), col(FlagRow.flag_id))
            .where(col(FlagRow.incident_id).in_(numbers))
            .where(col(FlagRow.status) == "active")
        )
        for number, flag_id in found:
            active.setdefault(number, set()).add(flag_id)
        return [_incident(row, active.get(row.id or 0, set())) for row in rows]


class Positions(positions.Positions):
    """What was consumed. Written in the transaction that holds the result."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session, PositionRow)


def _in(numbers: set[int]) -> ColumnElement[bool]:
    return col(IncidentRow.id).in_(numbers)


def _conditions(query: Query, *, with_state: bool = True) -> list[ColumnElement[bool]]:
    found = conditions(query.scope)
    if query.states and with_state:
        found.append(col(IncidentRow.state).in_(query.states))
    if query.severities:
        found.append(col(IncidentRow.severity).in_(query.severities))
    if query.rule:
        found.append(col(IncidentRow.rule) == query.rule)
    if query.site:
        found.append(col(IncidentRow.site) == query.site)
    for word in query.text.split():
        found.append(_matches(word))
    return found


def _matches(word: str) -> ColumnElement[bool]:
    """`word` in what people read of an incident; `#42` or `42` is its number too."""
    columns = (
        IncidentRow.summary_en,
        IncidentRow.summary_zh,
        IncidentRow.subject_id,
        IncidentRow.rule,
        IncidentRow.owner,
    )
    hits = [col(column).icontains(word, autoescape=True) for column in columns]
    number = word.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < 10:
        hits.append(col(IncidentRow.id) == int(number))
    return or_(*hits)


def _incident(row: IncidentRow, active: set[str]) -> Incident:
    values: dict[str, Any] = {name: getattr(row, name) for name in _SAME_NAME}
    return Incident(group=row.group_key, active=frozenset(active), id=row.id or 0, **values)


def _flag_row(flag: Flag, number: int, now: datetime) -> FlagRow:
    values = {name: getattr(flag, name) for name in Flag.__struct_fields__}
    return FlagRow(incident_id=number, received_at=now, **values)


def _flag(row: FlagRow) -> Flag:
    return Flag(**{name: getattr(row, name) for name in Flag.__struct_fields__})


def _clearing(row: FlagRow) -> Clearing | None:
    if row.cleared is None:
        return None
    return Clearing(
        flag_id=row.flag_id, cleared=row.cleared, duration_s=row.duration_s or 0.0, evidence=row.cleared_evidence
    )


def _event_row(entry: Entry, number: int) -> EventRow:
    return EventRow(incident_id=number, **{name: getattr(entry, name) for name in Entry.__struct_fields__})


def _entry(row: EventRow) -> Entry:
    return Entry(**{name: getattr(row, name) for name in Entry.__struct_fields__})
