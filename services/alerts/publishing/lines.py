"""The lines of histories that are not published yet, each as the fact that says it.

Two transactions may commit in another order than that in which they numbered their rows, so "everything after the last one that I
published" would skip the slower one's. So each row says itself whether it was published. Within an incident there is no gap: who
writes line n + 1 has waited for line n to be committed, because the incident's row was locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import false, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.tables import EventRow, IncidentRow
from shared.incidentfacts import IncidentChanged, IncidentFact, IncidentState, make
from shared.masking import masked_deep, masked_text

# What a line makes of the incident's state; the others leave it. Whose it then is: `_owner`.
STATES: Final[dict[str, IncidentState]] = {
    "opened": "open",
    "reopened": "open",
    "acknowledged": "acknowledged",
    "assigned": "acknowledged",
    "resolved": "resolved",
    "resolved_quiet": "resolved",
}


class Line(Struct, frozen=True):
    """A line that waits. `row`: what `done` is to be told."""

    row: int
    fact: IncidentFact


class _Standing(Struct, frozen=True):
    """An incident's state and owner from line `seq` on."""

    seq: int
    state: IncidentState
    owner: str


class Lines:
    """Queries; the caller's unit of work commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def waiting(self, limit: int) -> list[Line]:
        """The next ones, an incident's in their order."""
        found = await self._session.execute(
            select(EventRow, IncidentRow)
            .join(IncidentRow, col(IncidentRow.id) == col(EventRow.incident_id))
            .where(col(EventRow.published) == false())
            .order_by(col(EventRow.id))
            .limit(limit)
        )
        rows = found.all()
        standings = await self._standings({row.incident_id for row, _ in rows})
        return [Line(row.id or 0, _fact(row, incident, standings[row.incident_id])) for row, incident in rows]

    async def count(self) -> int:
        """How many wait."""
        statement = select(func.count()).select_from(EventRow).where(col(EventRow.published) == false())
        return await self._session.scalar(statement) or 0

    async def done(self, rows: Iterable[int]) -> None:
        """These were published."""
        await self._session.execute(update(EventRow).where(col(EventRow.id).in_(set(rows))).values(published=True))

    async def _standings(self, numbers: set[int]) -> dict[int, list[_Standing]]:
        """The changes of state of these incidents, in their order."""
        columns = (EventRow.incident_id, EventRow.seq, EventRow.kind, EventRow.by, EventRow.data)
        found = await self._session.execute(
            select(*(col(column) for column in columns))
            .where(col(EventRow.incident_id).in_(numbers), col(EventRow.kind).in_(STATES))
            .order_by(col(EventRow.incident_id), col(EventRow.seq))
        )
        standings: dict[int, list[_Standing]] = {number: [] for number in numbers}
        for number, seq, kind, by, data in found:
            known = standings[number]
            known.append(_Standing(seq, STATES[kind], _owner(kind, by, data, known[-1].owner if known else "")))
        return standings


def _owner(kind: str, by: str, data: dict[str, Any], before: str) -> str:
    """Whose it is after a change of state; a resolution leaves it with whom had it."""
    if kind == "acknowledged":
        return by
    if kind == "assigned":
        return str(data.get("to", ""))
    return before if STATES[kind] == "resolved" else ""


def _fact(row: EventRow, incident: IncidentRow, standings: Sequence[_Standing]) -> IncidentFact:
    standing = next((one for one in reversed(standings) if one.seq <= row.seq), _Standing(0, "open", ""))
    data = IncidentChanged(
        number=row.incident_id,
        seq=row.seq,
        kind=row.kind,
        at=row.at,
        by=row.by,
        state=standing.state,
        owner=standing.owner,
        rule=incident.rule,
        severity=incident.severity,  # type: ignore[arg-type]
        subject=incident.subject,  # type: ignore[arg-type]
        subject_id=incident.subject_id,
        summary_en=incident.summary_en,
        summary_zh=incident.summary_zh,
        started_at=incident.started,
        opened_at=incident.opened_at,
        note=masked_text(row.note),
        flag_id=row.flag_id,
        switch_time=row.switch_time,
        details=masked_deep(row.data),
        labels=incident.labels,
        simulated=incident.simulated,
        replay=incident.replay,
    )
    return make(data, site=incident.site)
