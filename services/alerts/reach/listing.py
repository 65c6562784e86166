"""The messages that were sent or wait, newest first, as far as somebody may see what they are about. Queries only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, exists, func, not_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.reach.outbox import Delivery, Outbox
from services.alerts.reach.tables import MessageRow
from services.alerts.tables import IncidentRow, NotificationRow
from services.alerts.visibility import conditions, whole_for
from shared.auth import WHOLE, Scope

NAMED: Final = 5  # incidents that a message in the list names


class About(Struct, frozen=True):
    """An incident that a message tells of, and why."""

    number: int
    telling: int
    reason: str
    severity: str
    summary_en: str
    summary_zh: str


class Listed(Struct, frozen=True):
    """A message with its attempts and the first of what it is about."""

    delivery: Delivery
    about: list[About]

    @property
    def row(self) -> MessageRow:
        assert self.delivery.message is not None, "it was asked for"
        return self.delivery.message


async def messages(
    session: AsyncSession, *, scope: Scope, receiver: str, states: Iterable[str], before: int | None, limit: int
) -> list[Listed]:
    """Messages of which `scope` sees all that they tell of; what is about no incident is seen by who sees everything."""
    query = select(col(MessageRow.id)).where(*_visible(scope))
    if receiver:
        query = query.where(col(MessageRow.receiver) == receiver)
    if states:
        query = query.where(col(MessageRow.state).in_(tuple(states)))
    if before is not None:
        query = query.where(col(MessageRow.id) < before)
    rows = await session.scalars(query.order_by(col(MessageRow.id).desc()).limit(limit))
    numbers = [number for number in rows if number is not None]
    found = await Outbox(session).deliveries(numbers)
    about = await _about(session, numbers)
    return [Listed(found[number], about.get(number, [])) for number in numbers if number in found]


async def _about(session: AsyncSession, numbers: Iterable[int]) -> dict[int, list[About]]:
    place = func.row_number().over(partition_by=col(NotificationRow.message_id), order_by=col(NotificationRow.id))
    notices = (
        select(col(NotificationRow.id).label("id"), place.label("place"))
        .where(col(NotificationRow.message_id).in_(numbers))
        .subquery()
    )
    rows = await session.execute(
        select(
            col(NotificationRow.message_id),
            col(NotificationRow.incident_id),
            col(NotificationRow.telling),
            col(NotificationRow.reason),
            col(IncidentRow.severity),
            col(IncidentRow.summary_en),
            col(IncidentRow.summary_zh),
        )
        .join(notices, and_(notices.c.id == col(NotificationRow.id), notices.c.place <= NAMED))
        .join(IncidentRow, col(IncidentRow.id) == col(NotificationRow.incident_id))
        .order_by(col(NotificationRow.id))
    )
    found: dict[int, list[About]] = {}
    for message, number, telling, reason, severity, english, chinese in rows:
        found.setdefault(message or 0, []).append(About(number, telling, reason, severity, english, chinese))
    return found


def _visible(scope: Scope) -> list[ColumnElement[bool]]:
    if scope == WHOLE:
        return []
    theirs = exists().where(
        col(NotificationRow.message_id) == col(MessageRow.id), col(IncidentRow.id) == col(NotificationRow.incident_id)
    )
    return [theirs, ~theirs.where(not_(and_(*conditions(scope), whole_for(scope))))]
