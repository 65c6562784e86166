"""Which rows of a table are to go, which go with them, and removing them. The caller's transaction commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Column, ColumnElement, CursorResult, Select, Table, and_, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.alerts.retention.groups import Kept

LEADING: Final = 3  # columns of a key by which rows are looked for: few rows have the same three

Key = tuple[Any, ...]
Of = Callable[[Column[Any]], Any]  # the values of a column of the rows that go: a list, or a query


class Removed(Struct, frozen=True, kw_only=True):
    """Rows of one table. `oldest`, `newest`: by the column that their age counts by; None: they went with rows of another one."""

    group: str
    table: str
    rows: int
    older_than: datetime
    oldest: datetime | None = None
    newest: datetime | None = None

    def __add__(self, other: Removed) -> Removed:
        return msgspec.structs.replace(
            self,
            rows=self.rows + other.rows,
            oldest=min((one for one in (self.oldest, other.oldest) if one), default=None),
            newest=max((one for one in (self.newest, other.newest) if one), default=None),
        )


class Child(Struct, frozen=True):
    """A table whose column `refers` to the column `to` of another one."""

    table: Table
    refers: Column[Any]
    to: Column[Any]


def children_of(table: Table) -> list[Child]:
    """The tables that refer to this one by a foreign key."""
    keys = (key for other in table.metadata.sorted_tables if other is not table for key in other.foreign_keys)
    return [Child(key.parent.table, key.parent, key.column) for key in keys if key.column.table is table]


def below(table: Table) -> Iterator[Table]:
    """Every table whose rows go with rows of this one."""
    for child in children_of(table):
        yield child.table
        yield from below(child.table)


def keys_of(kept: Kept, before: datetime) -> Select[Any]:
    """The keys of the rows that are to go."""
    return select(*kept.table.primary_key).where(kept.old(before))


async def counted(session: AsyncSession, group: str, kept: Kept, before: datetime) -> list[Removed]:
    """How many rows there are to go, and of each table that goes with them."""
    statement = select(func.count(), func.min(kept.age), func.max(kept.age)).where(kept.old(before))
    rows, oldest, newest = (await session.execute(statement)).one()
    found = [
        Removed(group=group, table=str(kept.table.name), rows=rows, older_than=before, oldest=oldest, newest=newest)
    ]
    going = _going(kept.table, lambda column: select(column).where(kept.old(before))) if rows else ()
    for table, condition in going:
        count = await session.scalar(select(func.count()).select_from(table).where(condition))
        found.append(Removed(group=group, table=str(table.name), rows=count or 0, older_than=before))
    return found


async def remove(session: AsyncSession, group: str, kept: Kept, before: datetime, keys: Sequence[Key]) -> list[Removed]:
    """Remove those of the rows with these keys that are still to go, and what refers to them; the first count is of the rows.

    They are locked before, so nobody can change them meanwhile.
    """
    still = keys_of(kept, before).add_columns(kept.age).where(_one_of(kept.table, keys)).with_for_update()
    rows = [tuple(row) for row in (await session.execute(still)).all()]
    chosen, ages = [row[:-1] for row in rows], [row[-1] for row in rows]
    oldest, newest = min(ages, default=None), max(ages, default=None)
    found = [
        Removed(
            group=group, table=str(kept.table.name), rows=len(rows), older_than=before, oldest=oldest, newest=newest
        )
    ]
    if not rows:
        return found
    primary = list(kept.table.primary_key)
    for table, condition in _going(kept.table, lambda column: [key[primary.index(column)] for key in chosen]):
        gone = await session.execute(delete(table).where(condition))
        found.append(Removed(group=group, table=str(table.name), rows=_count(gone), older_than=before))
    await session.execute(delete(kept.table).where(_one_of(kept.table, chosen)))
    return found


def _going(table: Table, of: Of) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Each table below this one, the lowest first, with the condition on those of its rows that go."""
    for child in children_of(table):
        condition = child.refers.in_(of(child.to))
        yield from _going(child.table, lambda column, condition=condition: select(column).where(condition))  # type: ignore[misc]
        yield child.table, condition


def _one_of(table: Table, keys: Sequence[Key]) -> ColumnElement[bool]:
    """Of keys of several columns also the first columns alone: for a list of tuples SQLite would read the whole table."""
    primary = list(table.primary_key)
    alone = [column.in_({key[n] for key in keys}) for n, column in enumerate(primary[:LEADING])]
    return alone[0] if len(primary) == 1 else and_(*alone, tuple_(*primary).in_(keys))


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return max(0, result.rowcount)
