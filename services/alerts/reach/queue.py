"""The queues of what is to be sent, one for each channel of a receiver: what is next, claimed for one process, and its end.

A process takes one message at a time of a channel, for LEASE; two processes may each have one. When that is over and no answer is
recorded, the process has ended in between: the message is sent again, and it says that it may have been sent before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, case, delete, exists, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.core.incident import Condition, Incident
from services.alerts.core.plan import SEVERITIES
from services.alerts.core.sending import SET_BACK, Limit
from services.alerts.core.telling import Reason
from services.alerts.reach.message import Attachment
from services.alerts.reach.outgoing import Told
from services.alerts.reach.tables import ChannelRow, MessageAttemptRow, MessageFileRow, MessageRow
from services.alerts.repositories import Incidents
from services.alerts.tables import FlagRow, IncidentRow, NotificationRow
from shared.db import insert_into

LEASE: Final = timedelta(minutes=2)  # an attempt is given up before; see `channels.PATIENCE_S`
OF_WHAT_IS_RESOLVED: Final = (Reason.RESOLVED, Reason.RECHECK, Reason.ACTION_DUE)
UNRECORDED: Final = "no answer was recorded, because the process ended in between: it may have been sent"
_AT_ONCE: Final = 500  # numbers in one statement


class Lane(Struct, frozen=True):
    """One channel of one receiver: what has one queue, one limit, and a worker of its own."""

    receiver: str
    key: str


class Work(Struct, frozen=True):
    """What waits in a lane: since when something, when a message may be tried again, how many messages have no end yet."""

    lane: Lane
    notices_at: datetime | None
    message_at: datetime | None
    open: int
    full_at: datetime | None

    def next_at(self, limit: Limit, now: datetime) -> datetime | None:
        """When there is something to do; None when all of it waits for what is being tried."""
        waiting = [] if self.message_at is None else [self.message_at]
        if self.notices_at is not None and self.open < limit.burst:
            waiting.append(self.notices_at)
        if not waiting:
            return None
        free = limit.free_at(self.full_at, now)
        return min(waiting) if free is None else max(min(waiting), free)


class Queue:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def work(self, now: datetime) -> list[Work]:
        """Every lane in which something waits."""
        channel = ChannelRow
        buckets = select(
            literal("bucket"), col(channel.receiver), col(channel.channel_key), col(channel.full_at), literal(0)
        )
        rows = await self._session.execute(
            _waiting("notices", NotificationRow, _notice_due(now)).union_all(
                _waiting("messages", MessageRow, _due_by(now)), buckets.where(col(channel.full_at).is_not(None))
            )
        )
        found: dict[Lane, dict[str, tuple[datetime, int]]] = defaultdict(dict)
        for what, receiver, key, at, number in rows:
            found[Lane(receiver, key)][what] = (at, number)
        nothing = (None, 0)
        return [
            Work(
                lane,
                notices_at=parts.get("notices", nothing)[0],
                message_at=parts.get("messages", nothing)[0],
                open=parts.get("messages", nothing)[1],
                full_at=parts.get("bucket", nothing)[0],
            )
            for lane, parts in found.items()
            if "notices" in parts or "messages" in parts
        ]

    async def channel(self, lane: Lane) -> ChannelRow:
        """How it fares; no other transaction can change that until this one ends."""
        query = (
            select(ChannelRow)
            .where(col(ChannelRow.receiver) == lane.receiver, col(ChannelRow.channel_key) == lane.key)
            .with_for_update()
        )
        found = await self._session.scalar(query)
        if found is None:
            values = {"receiver": lane.receiver, "channel_key": lane.key, "answer": ""}
            new = insert_into(self._session, ChannelRow).values(**values)
            await self._session.execute(new.on_conflict_do_nothing())
            found = await self._session.scalar(query)
        assert found is not None, "it was just inserted"
        return found

    async def message_due(self, lane: Lane, now: datetime) -> MessageRow | None:
        """The message that has waited longest to be tried again; one whose process ended in between, too."""
        return await self._session.scalar(
            select(MessageRow)
            .where(*_of(MessageRow, lane), col(MessageRow.due_at).is_not(None), _due_by(now) <= now)
            .order_by(col(MessageRow.due_at), col(MessageRow.id))
            .limit(1)
        )

    async def open(self, lane: Lane, now: datetime) -> tuple[int, datetime | None]:
        """How many messages have no end yet, and when the first of them is to be tried again."""
        found = await self._session.execute(
            select(func.count(), func.min(_due_by(now))).where(
                *_of(MessageRow, lane), col(MessageRow.due_at).is_not(None)
            )
        )
        number, first = found.one()
        return number, first

    async def doubted(self, lane: Lane, now: datetime, max_age: timedelta) -> list[tuple[NotificationRow, Told]]:
        """Of the notices that no message carries yet those that may not be worth sending."""
        return await self._notices(*_waits(lane, now), _stale(max_age))

    async def worst(self, lane: Lane, now: datetime, limit: int | None) -> list[tuple[NotificationRow, Told]]:
        """Notices that no message carries yet, the most severe first, then the oldest; `limit` of them, None: all."""
        return await self._notices(*_waits(lane, now), limit=limit)

    async def carried_by(self, message: MessageRow) -> list[tuple[NotificationRow, Told]]:
        """What a message tells of, the most severe first, as it stands now."""
        return await self._notices(
            col(NotificationRow.message_id) == message.id, col(NotificationRow.state) == "waiting"
        )

    async def told_to(self, lane: Lane, *conditions: ColumnElement[bool]) -> list[Told]:
        """Incidents of which something was sent in a lane, as they stand now, each once."""
        found = await self._notices(*_of(NotificationRow, lane), col(NotificationRow.state) == "sent", *conditions)
        return list({told.number: told for _, told in found}.values())

    async def incident(self, number: int) -> Incident | None:
        """The whole of what is told, as it stands now."""
        return await Incidents(self._session).get(number)

    async def files(self, message: MessageRow) -> tuple[Attachment, ...]:
        rows = await self._session.scalars(
            select(MessageFileRow).where(col(MessageFileRow.message_id) == message.id).order_by(col(MessageFileRow.id))
        )
        return tuple(Attachment(row.name, row.content, row.media_type) for row in rows)

    async def new(self, message: MessageRow, notices: Collection[NotificationRow] = ()) -> MessageRow:
        """A message that carries these notices from now on."""
        message.notices = len(notices)
        self._session.add(message)
        await self._session.flush()
        for some in _portions([one.id or 0 for one in notices]):
            await self._session.execute(
                update(NotificationRow)
                .where(col(NotificationRow.id).in_(some))
                .values(message_id=message.id, due_at=None)
            )
        return message

    async def end(self, notices: Iterable[NotificationRow], state: str, answer: str, now: datetime) -> None:
        """Nothing more will happen to these notices."""
        for some in _portions([one.id or 0 for one in notices]):
            await self._end(state, answer, now, col(NotificationRow.id).in_(some))

    async def end_carried(self, message: MessageRow, state: str, answer: str, now: datetime) -> None:
        """Nothing more will happen to what a message tells of."""
        carried = (col(NotificationRow.message_id) == message.id, col(NotificationRow.state) == "waiting")
        await self._end(state, answer, now, *carried)

    async def _end(self, state: str, answer: str, now: datetime, *conditions: ColumnElement[bool]) -> None:
        values = {"state": state, "answer": answer, "due_at": None, "finished_at": now}
        await self._session.execute(
            update(NotificationRow)
            .where(*conditions)
            .values(**values)
            .execution_options(synchronize_session=False)  # no row of it is looked at again
        )

    async def get(self, number: int) -> MessageRow:
        """A message; no other transaction can change it until this one ends."""
        found = await self._session.scalar(
            select(MessageRow)
            .where(col(MessageRow.id) == number)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        assert found is not None, "messages with no end yet are not deleted"
        return found

    async def attempts(self, number: int) -> int:
        """How often a message was tried."""
        statement = select(func.count()).where(col(MessageAttemptRow.message_id) == number)
        return await self._session.scalar(statement) or 0

    async def is_known(self, number: int, at: datetime, answer: str) -> bool:
        """Whether that answer is written down: its transaction was, and nobody could be told so."""
        row = MessageAttemptRow
        where = (col(row.message_id) == number, col(row.at) == at, col(row.answer) == answer)
        return bool(await self._session.scalar(select(exists().where(*where))))

    def attempted(self, number: int, at: datetime, took_s: float, ok: bool, answer: str) -> None:
        self._session.add(MessageAttemptRow(message_id=number, at=at, took_s=took_s, ok=ok, answer=answer))

    async def forget_files(self, message: MessageRow) -> None:
        """What was attached is of no more use here. Only reports have files."""
        if message.kind != "report":
            return
        await self._session.execute(delete(MessageFileRow).where(col(MessageFileRow.message_id) == message.id))

    async def not_told_otherwise(self, message: MessageRow) -> list[NotificationRow]:
        """The notices of a message that no other channel of its receiver has brought, or may still bring."""
        other = NotificationRow.__table__.alias()  # type: ignore[attr-defined]
        rows = await self._session.scalars(
            select(NotificationRow).where(
                col(NotificationRow.message_id) == message.id,
                ~exists().where(
                    other.c.incident_id == col(NotificationRow.incident_id),
                    other.c.telling == col(NotificationRow.telling),
                    other.c.receiver == col(NotificationRow.receiver),
                    other.c.id != col(NotificationRow.id),
                    other.c.state.in_(("waiting", "sent")),
                ),
            )
        )
        return list(rows)

    async def _notices(
        self, *conditions: ColumnElement[bool], limit: int | None = None
    ) -> list[tuple[NotificationRow, Told]]:
        rank = case({name: number for number, name in enumerate(SEVERITIES)}, value=col(IncidentRow.severity), else_=-1)
        rows = await self._session.execute(
            select(NotificationRow, *_TOLD, _active())
            .join(IncidentRow, col(IncidentRow.id) == col(NotificationRow.incident_id))
            .where(*conditions)
            .order_by(rank.desc(), col(NotificationRow.created_at), col(NotificationRow.id))
            .limit(limit)
        )
        return [(notice, _told(notice, values)) for notice, *values in rows]


_SAME: Final = tuple(
    name for name in Told.__struct_fields__ if name not in ("number", "telling", "reason", "condition", "next")
)
_TOLD: Final = [col(getattr(IncidentRow, name)) for name in (*_SAME, "ended")]


def _told(notice: NotificationRow, values: Sequence[Any]) -> Told:
    *same, ended, active = values
    condition: Condition = "active" if active else "unknown" if ended is None else "ended"
    return Told(
        number=notice.incident_id,
        telling=notice.telling,
        reason=notice.reason,
        condition=condition,
        **dict(zip(_SAME, same, strict=True)),
    )


def _waiting(
    what: str, table: type[NotificationRow] | type[MessageRow], due: ColumnElement[Any]
) -> Select[str, str, str, Any, int]:
    """By lane, since when something waits and how much of it."""
    lane = (col(table.receiver), col(table.channel_key))
    waits = col(table.due_at).is_not(None)
    return select(literal(what), *lane, func.min(due), func.count()).where(waits).group_by(*lane)


def _of(table: type[NotificationRow] | type[MessageRow], lane: Lane) -> tuple[ColumnElement[bool], ...]:
    return col(table.receiver) == lane.receiver, col(table.channel_key) == lane.key


def _waits(lane: Lane, now: datetime) -> tuple[ColumnElement[bool], ...]:
    due: Any = col(NotificationRow.due_at)
    return *_of(NotificationRow, lane), due.is_not(None), _notice_due(now) <= now


def _notice_due(now: datetime) -> ColumnElement[Any]:
    """From when on a message may carry a notice. It waits for nothing: a time far ahead is from before the clock was set back."""
    due: Any = col(NotificationRow.due_at)
    return case((due > now + SET_BACK, literal(now, due.type)), else_=due)


def _due_by(now: datetime) -> ColumnElement[Any]:
    """When a message is to be tried again: at once where it was written at a time that has not come, because the clock was set
    back since. So it is late by its own wait at most.
    """
    last = (
        select(col(MessageAttemptRow.at))
        .where(col(MessageAttemptRow.message_id) == col(MessageRow.id))
        .order_by(col(MessageAttemptRow.id).desc())
        .limit(1)
        .scalar_subquery()
    )
    written = func.coalesce(col(MessageRow.began_at), last, col(MessageRow.created_at))
    due: Any = col(MessageRow.due_at)
    return case((written > now + SET_BACK, literal(now, due.type)), else_=due)


def _active() -> ColumnElement[bool]:
    return exists().where(col(FlagRow.incident_id) == col(IncidentRow.id), col(FlagRow.status) == "active")


def _stale(max_age: timedelta) -> ColumnElement[bool]:
    late = (col(NotificationRow.late_s) > max_age.total_seconds()) & ~_active()
    told_anyway = col(NotificationRow.reason).in_(OF_WHAT_IS_RESOLVED)
    return ~told_anyway & ((col(IncidentRow.state) == "resolved") | late)


def _portions(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    return (numbers[start : start + _AT_ONCE] for start in range(0, len(numbers), _AT_ONCE))


def by_text(found: Iterable[tuple[NotificationRow, str]]) -> dict[str, list[NotificationRow]]:
    """Notices that have the same answer."""
    same: dict[str, list[NotificationRow]] = defaultdict(list)
    for notice, text in found:
        same[text].append(notice)
    return same
