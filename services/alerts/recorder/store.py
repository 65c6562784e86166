"""Writes rows of records, and what they add to the days. The caller's unit of work commits.

A row has the key that its record's id is made of: the same again changes nothing, another with the same key takes its place, and
what it replaces is taken away from its day. So neither replays nor replicas nor a log that is read anew count anything twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.alerts.periodic.period import day_at
from services.alerts.recorder.days import Days, hour_of, quarters
from services.alerts.recorder.reading import KEYS, Kind, Recorded
from services.alerts.recorder.tables import (
    AgentDayRow,
    AgentIntervalRow,
    CallDayRow,
    CallRow,
    OriginDayRow,
    QueueIntervalRow,
    SlotRow,
    TransferRow,
)
from shared.db import insert_into

ZoneOf = Callable[[str], str]


def table_of(row: Any) -> Table:
    found: Table = row.__table__
    return found


_TABLES: Final[Mapping[Kind, Table]] = {
    "agent": table_of(AgentIntervalRow),
    "call": table_of(CallRow),
    "queue": table_of(QueueIntervalRow),
    "transfer": table_of(TransferRow),
}
_SUMMED: Final[tuple[Kind, ...]] = ("agent", "call")  # kinds that are kept by days as well


async def write(session: AsyncSession, records: Iterable[Recorded], zone_of: ZoneOf) -> dict[Kind, int]:
    """Write them, of several with one key the last; how many rows are new or another now, by kind."""
    newest: dict[Kind, dict[tuple[Any, ...], Recorded]] = {kind: {} for kind in _TABLES}
    for one in records:
        newest[one.kind][one.key] = one
    days, written = Days({}, {}), dict.fromkeys(_TABLES, 0)
    changed: list[Recorded] = []
    for kind, found in newest.items():
        if not found:
            continue
        fresh = list(found.values())
        if kind in _SUMMED:
            fresh = _count(kind, found, await _known(session, kind, list(found)), days, zone_of)
        for one in fresh if kind == "queue" else ():
            one.values["hour"] = hour_of(one.values["started_at"], zone_of(one.site))
        if fresh:
            await _put(session, kind, [one.values for one in fresh])
        written[kind] = len(fresh)
        changed += fresh
    await _add_days(session, days, _stamp(changed))
    await _note(session, changed, zone_of)
    return written


async def _known(session: AsyncSession, kind: Kind, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
    """The rows that there are, by key, which is one column for the kinds that are asked for."""
    table = _TABLES[kind]
    (name,) = KEYS[kind]
    statement = select(table).where(table.c[name].in_([key[0] for key in keys]))
    return {(row[name],): row for row in (await session.execute(statement)).mappings()}


def _count(
    kind: Kind,
    found: Mapping[tuple[Any, ...], Recorded],
    known: Mapping[tuple[Any, ...], Any],
    days: Days,
    zone_of: ZoneOf,
) -> list[Recorded]:
    """Those that are news, added to their days."""
    add = days.interval if kind == "agent" else days.call
    fresh = []
    for key, one in found.items():
        before = known.get(key)
        if before is not None:
            if all(before[name] == value for name, value in one.values.items() if name != "recorded_at"):
                continue
            add(before, zone_of(one.site), -1)
        add(one.values, zone_of(one.site))
        fresh.append(one)
    return fresh


async def _put(session: AsyncSession, kind: Kind, values: list[dict[str, Any]]) -> None:
    table = _TABLES[kind]
    keys = list(table.primary_key.columns.keys())
    statement = insert_into(session, table)
    changed = {name: statement.excluded[name] for name in values[0] if name not in keys}
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), values)


def _stamp(changed: Iterable[Recorded]) -> datetime | None:
    return max((one.values["recorded_at"] for one in changed), default=None)


async def _add_days(session: AsyncSession, days: Days, recorded_at: datetime | None) -> None:
    agents = [
        {
            **dict(zip(("site", "day", "agent_id", "state", "reason"), key, strict=True)),
            "pieces": one.pieces,
            "lasted_us": one.lasted_us,
            "stale_us": one.stale_us,
            "first_at": one.first,
            "last_at": one.last,
            "recorded_at": recorded_at,
        }
        for key, one in sorted(days.agents.items())
    ]
    await _add(session, table_of(AgentDayRow), ("pieces", "lasted_us", "stale_us"), agents)
    calls = [
        {
            **dict(zip(("site", "day", "agent_id", "queue", "direction", "outcome"), key, strict=True)),
            "calls": one.calls,
            "waited_us": one.waited_us,
            "talk_us": one.talk_us,
            "hold_us": one.hold_us,
            "recorded_at": recorded_at,
        }
        for key, one in sorted(days.calls.items())
    ]
    await _add(session, table_of(CallDayRow), ("calls", "waited_us", "talk_us", "hold_us"), calls)


async def _add(session: AsyncSession, table: Table, sums: Sequence[str], values: list[dict[str, Any]]) -> None:
    """Add to the rows that there are, and make the others."""
    if not values:
        return
    statement = insert_into(session, table)
    changed: dict[str, Any] = {name: table.c[name] + statement.excluded[name] for name in sums}
    changed["recorded_at"] = statement.excluded.recorded_at
    least, most = (func.least, func.greatest) if _postgres(session) else (func.min, func.max)
    if "first_at" in table.c:
        changed["first_at"] = least(table.c.first_at, statement.excluded.first_at)
        changed["last_at"] = most(table.c.last_at, statement.excluded.last_at)
    keys = list(table.primary_key.columns.keys())
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), values)


async def _note(session: AsyncSession, changed: Sequence[Recorded], zone_of: ZoneOf) -> None:
    """Which quarters of an hour are recorded, and of what origin the days are."""
    slots: dict[tuple[str, datetime], datetime] = {}
    origins: dict[tuple[str, Any, str], datetime] = {}
    for one in changed:
        values = one.values
        for at in quarters(one.kind, values):
            slots[one.site, at] = values["recorded_at"]
        when = values["started_at"] if one.kind == "queue" else one.time  # its end is midnight, once a day
        origins[one.site, day_at(when, zone_of(one.site)), values["origin"]] = values["recorded_at"]
    for row, names, found in (
        (SlotRow, ("site", "started_at"), slots),
        (OriginDayRow, ("site", "day", "origin"), origins),
    ):
        rows = [{**dict(zip(names, key, strict=True)), "recorded_at": at} for key, at in sorted(found.items())]
        if rows:
            statement = insert_into(session, table_of(row)).on_conflict_do_nothing()
            await session.execute(statement, rows)


def _postgres(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "postgresql"
