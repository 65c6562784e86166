"""Every query of the alerts service. Rows in, domain objects out; the caller's unit of work commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.actions.tables import ActionRow
from services.alerts.core.facets import Facet
from services.alerts.core.followup import FollowUp
from services.alerts.core.grouping import Book
from services.alerts.core.handling import Handling
from services.alerts.core.incident import (
    ALLOWED,
    OWN_PREFIX,
    Change,
    Clearing,
    Entry,
    Flag,
    Incident,
    Policy,
    State,
    Telling,
    topic_of,
)
from services.alerts.core.plan import Plan
from services.alerts.core.sending import SET_BACK
from services.alerts.core.urgency import urgency
from services.alerts.queries import Query as Query
from services.alerts.queries import narrowed
from services.alerts.tables import EventRow, FlagRow, IncidentRow, PlanRow, PositionRow
from shared import positions
from shared.db import ends_of, insert_into, portions

_OF_ITS_OWN = ("group", "active", "plan", "telling", "facets", "actions", "id")
OF_FLAGS = ("flag_joined", "flag_cleared")  # lines of a history of which a storm makes thousands
LONGEST_WORDS = 600  # an index of PostgreSQL has no room for more than 2 700 bytes
_SAME_NAME = tuple(name for name in Incident.__struct_fields__ if name not in _OF_ITS_OWN)


class Incidents:
    """Incidents, their history and their flags."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        # keys of the plans that this transaction has seen in the database
        self._stored: set[str] = session.info.setdefault("plans", set())

    async def get(self, number: int, *, for_change: bool = False) -> Incident | None:
        """The incident; with `for_change` no other transaction can change it until this one ends."""
        query = select(IncidentRow).where(col(IncidentRow.id) == number).execution_options(populate_existing=True)
        row = await self._session.scalar(query.with_for_update() if for_change else query)
        return None if row is None else (await self._domain([row]))[0]

    async def book(
        self,
        policy: Policy,
        handling: Handling,
        zone_of: Callable[[str], str],
        flag_ids: Iterable[str],
        groups: Iterable[str],
    ) -> Book:
        """Everything that flags with these ids and of these groups can touch."""
        found = await self._session.execute(
            select(col(FlagRow.flag_id), col(FlagRow.incident_id)).where(col(FlagRow.flag_id).in_(set(flag_ids)))
        )
        known: dict[str, int] = dict(found.all())
        group, number = col(IncidentRow.group_key), col(IncidentRow.id)
        newest = select(func.max(number)).where(group.in_(set(groups))).group_by(group)
        # one set of numbers, for to find those of two PostgreSQL would read every incident there is
        touched = newest.union(select(number).where(_in(set(known.values()))))
        rows = await self._session.scalars(
            select(IncidentRow).where(number.in_(touched)).order_by(col(IncidentRow.id)).with_for_update()
        )
        incidents = await self._domain(rows.all())
        opened_by = {one.id: one.opened_by for one in incidents}
        flags = ((flag, opened_by[number]) for flag, number in known.items())
        return Book(policy, handling, zone_of, incidents, flags)

    async def unresolved_of(self, group: str) -> int | None:
        """The number of the group's unresolved incident, if there is one."""
        return await self._session.scalar(
            select(col(IncidentRow.id)).where(col(IncidentRow.group_key) == group, col(IncidentRow.state) != "resolved")
        )

    async def save(
        self, changes: Sequence[Change], now: datetime, next_at: Callable[[Incident], datetime | None]
    ) -> list[Incident]:
        """Write what the changes did; the incidents as they stand now, each once, with their numbers.

        `next_at`: when to look at one again.
        """
        changes = await self.numbered(changes)
        latest = {change.incident.id: change.incident for change in changes}
        await self._keep_plans({one.plan.key: one.plan for one in latest.values()})
        for one in latest.values():
            await self._put_actions(one)
        await self._update({"id": one.id, "next_at": next_at(one)} | _values(one) for one in latest.values())
        for change in changes:
            number = change.incident.id
            if change.flag is not None:
                self._session.add(_flag_row(change.flag, number, now))
            self._session.add(_event_row(change.entry, number))
        await self._session.flush()
        await self._clear([change.clearing for change in changes if change.clearing is not None])
        for change in changes:
            for some in portions([*change.unheard]):
                unheard = col(FlagRow.flag_id).in_(some)
                await self._session.execute(update(FlagRow).where(unheard).values(status="unheard"))
        return list(latest.values())

    async def numbered(self, changes: Sequence[Change]) -> list[Change]:
        """The same changes with the numbers of their incidents; those that are new get one."""
        rows: dict[str, IncidentRow] = {}
        for change in changes:
            one = change.incident
            if not one.id and one.opened_by not in rows:
                rows[one.opened_by] = IncidentRow(group_key=one.group, **_values(one))
        if not rows:
            return list(changes)
        self._session.add_all(rows.values())
        await self._session.flush()
        numbers = {opened_by: row.id or 0 for opened_by, row in rows.items()}
        return [_with_number(change, numbers) for change in changes]

    async def find(self, query: Query) -> list[Incident]:
        """Incidents that fit, in the order of the query."""
        statement = select(col(IncidentRow.id)).where(*narrowed(query)).limit(query.limit)
        if query.order == "urgency":
            place = tuple_(col(IncidentRow.urgency), col(IncidentRow.id))
            if query.behind is not None:
                statement = statement.where(place > query.behind)
            statement = statement.order_by(col(IncidentRow.urgency), col(IncidentRow.id))
        else:
            if query.before is not None:
                statement = statement.where(col(IncidentRow.id) < query.before)
            # words are looked for in their index, not in every row from the newest one on
            number = func.coalesce(col(IncidentRow.id), 0) if query.text else col(IncidentRow.id)
            statement = statement.order_by(number.desc())
        # the numbers first: they are found in an index, without reading what does not fit
        return await self.numbers((await self._session.scalars(statement)).all())

    async def numbers(self, numbers: Sequence[int | None]) -> list[Incident]:
        """Those with these numbers, in this order."""
        rows = await self._session.scalars(select(IncidentRow).where(col(IncidentRow.id).in_(numbers)))
        found = {one.id: one for one in await self._domain(rows.all())}
        return [found[number] for number in numbers if number in found]

    async def count(self, query: Query) -> dict[State, int]:
        """How many fit, by state, whatever the query says about the state."""
        # not the bare column where words are searched: SQLite would walk its index and read every row for the words
        state = func.coalesce(col(IncidentRow.state), "") if query.text else col(IncidentRow.state)
        statement = select(state, func.count()).where(*narrowed(query, with_state=False)).group_by(state)
        found = dict((await self._session.execute(statement)).all())
        return {state: found.get(state, 0) for state in ALLOWED}

    async def unresolved(self) -> dict[str, int]:
        """How many are not resolved, by severity."""
        statement = select(col(IncidentRow.severity), func.count()).where(col(IncidentRow.state) != "resolved")
        return dict((await self._session.execute(statement.group_by(col(IncidentRow.severity)))).all())

    async def entries(self, number: int, most: int | None = None) -> list[Entry]:
        """The history, oldest first. `most`: as in `ends_of`, of lines of flags that came or ended, and of all others."""
        found: list[EventRow] = []
        of_flags = col(EventRow.kind).in_(OF_FLAGS)
        for kind in (of_flags, ~of_flags):
            lines = select(EventRow).where(col(EventRow.incident_id) == number, kind)
            found += await ends_of(self._session, lines, [col(EventRow.seq)], most)
        return [_entry(row) for row in sorted(found, key=lambda row: row.seq)]

    async def flags(self, number: int, most: int | None = None) -> list[tuple[Flag, Clearing | None]]:
        """The evidence, in the order in which it came. `most`: as in `ends_of`."""
        of_it = select(FlagRow).where(col(FlagRow.incident_id) == number)
        order = [col(FlagRow.received_at), col(FlagRow.raised), col(FlagRow.flag_id)]
        return [(_flag(row), _clearing(row)) for row in await ends_of(self._session, of_it, order, most)]

    async def with_active_flags(self) -> list[Incident]:
        """Every incident whose condition holds as far as a topic told us, resolved ones too."""
        own = col(FlagRow.flag_id).startswith(OWN_PREFIX, autoescape=True)
        numbers = select(col(FlagRow.incident_id)).where(col(FlagRow.status) == "active", ~own)
        rows = await self._session.scalars(
            select(IncidentRow).where(col(IncidentRow.id).in_(numbers)).with_for_update()
        )
        return await self._domain(rows.all())

    async def due(self, now: datetime, limit: int = 100) -> list[Incident]:
        """Those to look at, longest due first; no other transaction can change them until this one ends.

        Of what waits for anything those, too, that changed at a time that has not come: the clock was set back.
        """
        early = col(IncidentRow.next_at).is_not(None) & (col(IncidentRow.changed_at) > now + SET_BACK)
        rows = await self._session.scalars(
            select(IncidentRow)
            .where(or_(col(IncidentRow.next_at) <= now, early))
            .order_by(col(IncidentRow.next_at))
            .limit(limit)
            .with_for_update()
        )
        return await self._domain(rows.all())

    async def next_due(self) -> datetime | None:
        """When to look at the next one; None: never, as things stand."""
        return await self._session.scalar(select(func.min(IncidentRow.next_at)))

    async def look_again(self, incidents: Iterable[Incident], next_at: Callable[[Incident], datetime | None]) -> None:
        """Nothing was due after all: when to look next."""
        await self._update({"id": one.id, "next_at": next_at(one)} for one in incidents)

    async def _keep_plans(self, plans: Mapping[str, Plan]) -> None:
        rows = [{"key": key, "plan": msgspec.to_builtins(plans[key])} for key in sorted(plans.keys() - self._stored)]
        if rows:
            table = PlanRow.__table__  # type: ignore[attr-defined]
            await self._session.execute(insert_into(self._session, table).on_conflict_do_nothing(), rows)

    async def _update(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows of `incidents` by their `id`, all in one statement."""
        values = list(rows)
        if values:
            await self._session.execute(update(IncidentRow), values)

    async def _clear(self, clearings: Iterable[Clearing]) -> None:
        """The ends of flags, all in one statement."""
        values = [
            {
                "flag_id": one.flag_id,
                "status": "cleared",
                "cleared": one.cleared,
                "duration_s": one.duration_s,
                "cleared_evidence": one.evidence,
            }
            for one in clearings
        ]
        if values:
            await self._session.execute(update(FlagRow), values)

    async def _domain(self, rows: Sequence[IncidentRow]) -> list[Incident]:
        found: list[Incident] = []
        for some in portions(rows):
            found += await self._whole(some)
        return found

    async def _whole(self, rows: Sequence[IncidentRow]) -> list[Incident]:
        numbers = {row.id for row in rows}
        active: dict[int, dict[str, str]] = {}
        found = await self._session.execute(
            select(
                col(FlagRow.incident_id),
                col(FlagRow.flag_id),
                col(FlagRow.rule),
                col(FlagRow.subject),
                col(FlagRow.subject_id),
            )
            .where(col(FlagRow.incident_id).in_(numbers))
            .where(col(FlagRow.status) == "active")
        )
        for number, flag_id, *topic in found:
            active.setdefault(number, {})[flag_id] = topic_of(*topic)
        plans = await self._plans({row.plan_key for row in rows})
        actions = await self._actions(numbers)
        return [
            _incident(row, active.get(row.id or 0, {}), plans[row.plan_key], tuple(actions.get(row.id or 0, ())))
            for row in rows
        ]

    async def _actions(self, numbers: Iterable[int | None]) -> dict[int, list[FollowUp]]:
        found: dict[int, list[FollowUp]] = {}
        query = select(ActionRow).where(col(ActionRow.incident_id).in_(numbers))
        for row in await self._session.scalars(query.order_by(col(ActionRow.number))):
            values = {name: getattr(row, name) for name in FollowUp.__struct_fields__}
            found.setdefault(row.incident_id, []).append(FollowUp(**values))
        return found

    async def _put_actions(self, incident: Incident) -> None:
        for one in incident.actions:
            values = {name: getattr(one, name) for name in FollowUp.__struct_fields__}
            new = insert_into(self._session, ActionRow).values(incident_id=incident.id, **values)
            key = [col(ActionRow.incident_id), col(ActionRow.number)]
            await self._session.execute(new.on_conflict_do_update(index_elements=key, set_=values))

    async def _plans(self, keys: set[str]) -> dict[str, Plan]:
        rows = await self._session.scalars(select(PlanRow).where(col(PlanRow.key).in_(keys)))
        found = {row.key: msgspec.convert(row.plan, Plan) for row in rows}
        self._stored |= found.keys()
        return found


class Positions(positions.Positions):
    """What was consumed. Written in the transaction that holds the result."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session, PositionRow)


def _in(numbers: set[int]) -> ColumnElement[bool]:
    return col(IncidentRow.id).in_(numbers)


def _values(incident: Incident) -> dict[str, Any]:
    """The columns of an incident, without when to look at it."""
    values = {name: getattr(incident, name) for name in _SAME_NAME}
    return values | {
        "plan_key": incident.plan.key,
        "telling": msgspec.to_builtins(incident.telling),
        "facets": msgspec.to_builtins(incident.facets),
        "mixed": bool(incident.facets),
        "holds": bool(incident.active),
        "urgency": urgency(incident),
        "words": words(incident),
    }


def words(incident: Incident) -> str:
    """What a search looks into: what people read of it, and its labels' values."""
    one = incident
    said = (one.rule, one.subject_id, one.owner, one.site, *one.labels.values(), one.summary_en, one.summary_zh)
    return "\n".join(dict.fromkeys(said)).lower()[:LONGEST_WORDS]


def _with_number(change: Change, numbers: Mapping[str, int]) -> Change:
    number = change.incident.id or numbers[change.incident.opened_by]
    return msgspec.structs.replace(change, incident=msgspec.structs.replace(change.incident, id=number))


def _incident(row: IncidentRow, active: dict[str, str], plan: Plan, actions: tuple[FollowUp, ...]) -> Incident:
    values: dict[str, Any] = {name: getattr(row, name) for name in _SAME_NAME}
    telling = msgspec.convert(row.telling, Telling)
    facets = msgspec.convert(row.facets, tuple[Facet, ...])
    values |= {"group": row.group_key, "telling": telling, "facets": facets}
    return Incident(active=active, plan=plan, actions=actions, id=row.id or 0, **values)


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
