"""Which tables grow, by what a row's age counts, and how long rows are kept unless the alert file says otherwise; which stay.

A part that has a table which grows adds it here, to a group of its own or to one that there is. Rows that refer to a removed row
by a foreign key go with it and need no entry. Every table is in a group, goes with one that is, or is in `FOR_EVER` with why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Table, and_, exists, or_, select
from sqlmodel import SQLModel, col

from services.alerts.actions.tables import ActionRow
from services.alerts.periodic.tables import ReportRow
from services.alerts.reach.tables import MessageRow
from services.alerts.recorder import tables as records
from services.alerts.silences.tables import SilenceRow
from services.alerts.tables import EventRow, IncidentRow, NotificationRow

Condition = Callable[[datetime], ColumnElement[bool]]


class Kept(Struct, frozen=True):
    """A table whose rows are removed when they are older than their group is kept, and nothing is open about them.

    `age`: the column that says when a row was last of use; a row without it is kept. `only`: further conditions, given the moment
    that is as long ago as the group is kept.
    """

    row: type[SQLModel]
    age: Any  # a mapped column
    only: Condition | None = None

    @property
    def table(self) -> Table:
        found: Table = self.row.__table__  # type: ignore[attr-defined]
        return found

    def old(self, before: datetime) -> ColumnElement[bool]:
        """The condition on a row that may go."""
        old = col(self.age) < before
        return old if self.only is None else and_(old, self.only(before))


class Group(Struct, frozen=True):
    """Tables that one line of the section `retention` is about. `keep` None: for ever."""

    name: str
    keep: timedelta | None
    about: str
    tables: tuple[Kept, ...]


def _done_with(before: datetime) -> ColumnElement[bool]:
    """Resolved, nothing due any more, its re-check behind it, no action left to do, and all of it told and published."""
    of_it = col(IncidentRow.id)
    waiting = select(1).where(col(NotificationRow.incident_id) == of_it, col(NotificationRow.state) == "waiting")
    to_do = select(1).where(col(ActionRow.incident_id) == of_it, col(ActionRow.done_at).is_(None))
    unpublished = select(1).where(col(EventRow.incident_id) == of_it, ~col(EventRow.published))
    return and_(
        col(IncidentRow.state) == "resolved",
        col(IncidentRow.next_at).is_(None),
        or_(col(IncidentRow.recheck_on).is_(None), col(IncidentRow.recheck_on) < before.date()),
        ~exists(waiting),
        ~exists(to_do),
        ~exists(unpublished),
    )


# a yearly report compares with the year before, and somebody takes two months to write it
YEARS: Final = timedelta(days=800)

GROUPS: Final[tuple[Group, ...]] = (
    Group(
        "incidents",
        YEARS,
        "resolved incidents with history, flags, notifications and actions, from their last change",
        (Kept(IncidentRow, IncidentRow.changed_at, _done_with),),
    ),
    Group(
        "messages",
        timedelta(days=90),
        "messages to receivers with their attempts and answers, counted from their end",
        (Kept(MessageRow, MessageRow.finished_at),),
    ),
    Group(
        "records",
        YEARS,
        "what reports are written from: calls, transfers, agents' and queues' intervals and their days",
        # first what says that a quarter of an hour is covered: a report never claims what is gone in part
        (
            Kept(records.SlotRow, records.SlotRow.started_at),
            Kept(records.AgentIntervalRow, records.AgentIntervalRow.recorded_at),
            Kept(records.CallRow, records.CallRow.recorded_at),
            Kept(records.TransferRow, records.TransferRow.recorded_at),
            Kept(records.QueueIntervalRow, records.QueueIntervalRow.recorded_at),
            Kept(records.AgentDayRow, records.AgentDayRow.recorded_at),
            Kept(records.CallDayRow, records.CallDayRow.recorded_at),
            Kept(records.OriginDayRow, records.OriginDayRow.recorded_at),
        ),
    ),
    Group(
        "silences",
        YEARS,
        "silences and maintenance windows that are over, with what became of them, from their end",
        (Kept(SilenceRow, SilenceRow.ends),),
    ),
    Group(
        "reports",
        YEARS,
        "that a periodic report was sent, and to whom; a year longer than said",
        # the row of the newest period is what keeps its report from being sent again, and a yearly one is new for a year
        (Kept(ReportRow, ReportRow.due_at, lambda before: col(ReportRow.due_at) < before - timedelta(days=400)),),
    ),
)

FOR_EVER: Final[dict[str, str]] = {
    "receiver_channels": "one row for each channel of a receiver",
    "desk": "one row",
    "leases": "one row for each work that one instance at a time does",
    "plans": "one row for each plan that incidents ever had: it grows with the alert file's versions, not with time",
    "positions": "one row for each partition that is read",
    "purges": "what was removed, and when: one row a day",
    "recorded_sites": "one row for each site",
    "sites_heard": "one row for each site",
}


def names() -> Iterator[str]:
    """The groups, as the file calls them."""
    return (one.name for one in GROUPS)
