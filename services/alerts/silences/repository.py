"""Every query about silences, and about what they and other incidents hold back. The caller's unit of work commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.core.inhibition import Inhibition
from services.alerts.core.labels import Labels, Matcher, fits, labels_of
from services.alerts.core.sending import SET_BACK
from services.alerts.core.silences import Kind, Silence, Standing
from services.alerts.core.urgency import FIRST_RESOLVED
from services.alerts.silences.tables import DeskRow, SilenceEventRow, SilenceRow
from services.alerts.tables import EventRow, IncidentRow

_WILD = frozenset("*?")
_HOLDS: ColumnElement[bool] = literal_column("incidents.holds")  # as in its index, which finds few among very many
_AT_A_TIME = 500  # numbers in one statement
LABELLED = tuple(
    getattr(IncidentRow, name)
    for name in ("id", "site", "rule", "severity", "subject", "subject_id", "simulated", "replay", "labels")
)


class Silences:
    """Silences and their history."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def version(self, *, for_change: bool = False) -> int:
        """Grows with each change of a silence. With `for_change` nobody else changes incidents or silences meanwhile."""
        query = select(col(DeskRow.silences)).where(col(DeskRow.id) == 1)
        return await self._session.scalar(query.with_for_update() if for_change else query) or 0

    async def changed(self) -> None:
        """Whoever has silences in memory reads them anew."""
        await self._session.execute(update(DeskRow).values(silences=DeskRow.silences + 1))

    async def not_over(self, now: datetime) -> tuple[Silence, ...]:
        """Those in force and planned."""
        rows = await self._session.scalars(
            select(SilenceRow).where(col(SilenceRow.ends) > now).order_by(col(SilenceRow.id))
        )
        return tuple(map(_silence, rows))

    async def get(self, number: int) -> Silence | None:
        row = await self._session.get(SilenceRow, number)
        return None if row is None else _silence(row)

    async def find(
        self, standings: Iterable[Standing], now: datetime, before: int | None, limit: int
    ) -> Sequence[Silence]:
        """Newest first; `before`: the number of the last one seen."""
        wanted = set(standings)
        query = select(SilenceRow).order_by(col(SilenceRow.id).desc()).limit(limit)
        if wanted and "over" not in wanted:
            query = query.where(col(SilenceRow.ends) > now)
        if wanted and wanted <= {"over"}:
            query = query.where(col(SilenceRow.ends) <= now)
        if wanted and "planned" not in wanted:
            query = query.where(col(SilenceRow.starts) <= now)
        if wanted == {"planned"}:
            query = query.where(col(SilenceRow.starts) > now)
        if before is not None:
            query = query.where(col(SilenceRow.id) < before)
        return [_silence(row) for row in await self._session.scalars(query)]

    async def add(self, silence: Silence) -> Silence:
        """With its number, and the first line of its history."""
        row = SilenceRow(**_values(silence))
        self._session.add(row)
        await self._session.flush()
        assert row.id is not None
        self._event(row.id, silence.created_at, "made", silence.by, {"ends": silence.ends.isoformat()})
        return msgspec.structs.replace(silence, id=row.id)

    async def end(self, silence: Silence, before: Silence) -> None:
        """`silence` is `before`, cut short."""
        change = update(SilenceRow).where(col(SilenceRow.id) == silence.id)
        await self._session.execute(change.values(starts=silence.starts, ends=silence.ends, ended_by=silence.ended_by))
        self._event(silence.id, silence.ends, "ended", silence.ended_by, {"instead_of": before.ends.isoformat()})

    async def events(self, number: int) -> Sequence[SilenceEventRow]:
        """What people did to it, oldest first."""
        query = select(SilenceEventRow).where(col(SilenceEventRow.silence_id) == number)
        return (await self._session.scalars(query.order_by(col(SilenceEventRow.id)))).all()

    def _event(self, number: int, at: datetime, kind: str, by: str, data: dict[str, Any]) -> None:
        self._session.add(SilenceEventRow(silence_id=number, at=at, kind=kind, by=by, data=data))


async def sources(session: AsyncSession, inhibitions: Sequence[Inhibition]) -> dict[int, Labels]:
    """Number and labels of every incident whose condition holds and that could hide another."""
    if not inhibitions:
        return {}
    query = select(*LABELLED).where(_HOLDS)
    rules = [_rules(one.source) for one in inhibitions]
    if all(rules):
        query = query.where(col(IncidentRow.rule).in_({rule for found in rules for rule in found}))
    rows = ((row.id, labels_of(row)) for row in await session.execute(query))
    return {number: labels for number, labels in rows if any(fits(one.source, labels) for one in inhibitions)}


async def unresolved(session: AsyncSession) -> list[tuple[int, str, Labels]]:
    """Number, what holds it as far as it says, and labels of every incident that is not resolved."""
    query = select(*LABELLED, col(IncidentRow.held)).where(col(IncidentRow.urgency) < FIRST_RESOLVED)
    return [(row.id, row.held, labels_of(row)) for row in await session.execute(query)]


async def look_now(session: AsyncSession, numbers: Sequence[int], now: datetime) -> None:
    """Have these incidents looked at at once."""
    for first in range(0, len(numbers), _AT_A_TIME):
        some = col(IncidentRow.id).in_(numbers[first : first + _AT_A_TIME])
        await session.execute(update(IncidentRow).where(some).values(next_at=now))


class Wake(msgspec.Struct, frozen=True):
    """What an instance asks each second: the version of the silences, the last line of any history, when an incident is due,
    and when the last one changed.
    """

    version: int
    last: int
    due: datetime | None
    changed: datetime | None

    def due_by(self, now: datetime) -> bool:
        """Whether an incident may be due; by a clock that was set back, too."""
        early = self.changed is not None and self.changed > now + SET_BACK
        return early or (self.due is not None and self.due <= now)


async def wake(session: AsyncSession) -> Wake:
    """One statement that reads four ends of indexes."""
    version = select(col(DeskRow.silences)).where(col(DeskRow.id) == 1).scalar_subquery()
    due = select(func.min(IncidentRow.next_at)).scalar_subquery()
    last = select(func.max(EventRow.id)).scalar_subquery()
    changed = select(func.max(IncidentRow.changed_at)).scalar_subquery()
    row = (await session.execute(select(version, last, due, changed))).one()
    return Wake(row[0] or 0, row[1] or 0, row[2], row[3])


def matchers_as_json(matchers: Iterable[Matcher]) -> list[dict[str, Any]]:
    return [{"label": one.label, "values": list(one.values), "negated": one.negated} for one in matchers]


def _rules(matchers: Iterable[Matcher]) -> set[str]:
    """The rules that alone can fit; empty: any."""
    for one in matchers:
        if one.label == "rule" and not one.negated and not any(_WILD & set(value) for value in one.values):
            return set(one.values)
    return set()


def _values(silence: Silence) -> Mapping[str, Any]:
    names = ("kind", "reason", "by", "created_at", "starts", "ends", "ended_by")
    return {"matchers": matchers_as_json(silence.matchers)} | {name: getattr(silence, name) for name in names}


def _silence(row: SilenceRow) -> Silence:
    kind: Kind = "maintenance" if row.kind == "maintenance" else "silence"
    return Silence(
        kind=kind,
        matchers=tuple(Matcher(one["label"], tuple(one["values"]), one["negated"]) for one in row.matchers),
        reason=row.reason,
        by=row.by,
        created_at=row.created_at,
        starts=row.starts,
        ends=row.ends,
        ended_by=row.ended_by,
        id=row.id or 0,
    )
