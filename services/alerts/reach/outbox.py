"""The outbox: what is to be told, written with its incident, and what became of it. Queries only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.core.incident import Incident
from services.alerts.core.sending import who_hears
from services.alerts.reach.message import Message
from services.alerts.reach.tables import MessageAttemptRow, MessageFileRow, MessageRow
from services.alerts.tables import NotificationRow
from shared.db import ends_of, insert_into

State = Literal["waiting", "sent", "failed", "withheld", "no_channel"]
STATES: tuple[State, ...] = ("waiting", "sent", "failed", "withheld", "no_channel")
RECEIVER_DEAD = "receiver_dead"  # the rule of incidents about a receiver; their label `receiver` names it


class ChannelName(Struct, frozen=True):
    """A channel as it is stored: `key` tells channels apart, `label` is for people; neither holds a secret."""

    key: str
    label: str


class Delivery(Struct, frozen=True):
    """The message that carries a notice, None before the first attempt, and the attempts to send it."""

    message: MessageRow | None
    attempts: list[MessageAttemptRow]


class Outbox:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def add(
        self,
        incident: Incident,
        telling: Mapping[str, Any],
        channels: Mapping[str, Sequence[ChannelName]],
        late: timedelta,
        now: datetime,
        *,
        then: Mapping[str, str] | None = None,
    ) -> int:
        """One row for each channel of each receiver of `telling`, the data of a line "told"; how many channels that is.

        Without any there is one row that says so. `then`: who is told instead of whom.
        What is about a receiver is not told to it.
        """
        receivers = who_hears(telling["receivers"], then or {}, about_receiver(incident.rule, incident.labels))
        rows = {one.key: (receiver, one) for receiver in receivers for one in channels.get(receiver, ())}
        for receiver, channel in rows.values() or [("", ChannelName("", ""))]:
            self._session.add(
                NotificationRow(
                    incident_id=incident.id,
                    telling=telling["telling"],
                    reason=telling["reason"],
                    receiver=receiver,
                    channel_key=channel.key,
                    channel=channel.label,
                    state="waiting" if rows else "no_channel",
                    created_at=now,
                    due_at=now if rows else None,
                    finished_at=None if rows else now,
                    late_s=max(0.0, late.total_seconds()),
                    answer="" if rows else "no channel configured",
                )
            )
        return len(rows)

    async def post(
        self,
        receiver: str,
        message: Message,
        channels: Iterable[ChannelName],
        now: datetime,
        *,
        key: str,
        instead_of: str = "",
    ) -> list[int]:
        """A report for channels of `receiver` (`Channels.for_reports`), sent after the commit and again until it arrived.

        Returns the messages' numbers. `key`: by which a receiver knows a second copy, such as `daily/hq/2026-11-22/en`.
        """
        rows = [
            MessageRow(
                kind="report",
                receiver=receiver,
                channel_key=one.key,
                channel=one.label,
                instead_of=instead_of,
                severity="info",
                state="waiting",
                created_at=now,
                due_at=now,
                key=key,
                title=message.title,
                body=message.body,
                html=message.html,
            )
            for one in channels
        ]
        self._session.add_all(rows)
        await self._session.flush()
        for row in rows:
            for file in message.attachments:
                self._session.add(
                    MessageFileRow(
                        message_id=row.id or 0, name=file.name, media_type=file.media_type, content=file.content
                    )
                )
        return [row.id or 0 for row in rows]

    async def pass_on(
        self, notices: Iterable[NotificationRow], receiver: str, channels: Iterable[ChannelName], now: datetime
    ) -> int:
        """The same to another receiver instead, as far as its channels were not told already; how many rows."""
        channels, added = tuple(channels), 0
        # in one order, so that two lanes that fall over to the same one never wait for each other
        for one in sorted(notices, key=lambda row: (row.incident_id, row.telling)):
            for channel in channels:
                values = {
                    "incident_id": one.incident_id,
                    "telling": one.telling,
                    "reason": one.reason,
                    "receiver": receiver,
                    "channel_key": channel.key,
                    "channel": channel.label,
                    "instead_of": one.instead_of or (one.receiver if one.receiver != receiver else ""),
                    "state": "waiting",
                    "created_at": now,
                    "due_at": now,
                    "late_s": one.late_s,
                    "answer": "",
                }
                statement = insert_into(self._session, NotificationRow).values(**values).on_conflict_do_nothing()
                result = await self._session.execute(statement.returning(col(NotificationRow.id)))
                added += result.first() is not None
        return added

    async def of(self, incident: int, most: int | None = None) -> list[tuple[NotificationRow, Delivery]]:
        """The notifications of an incident, each with how it was sent, oldest first. `most`: as in `ends_of`."""
        of_it = select(NotificationRow).where(col(NotificationRow.incident_id) == incident)
        notices = await ends_of(self._session, of_it, [col(NotificationRow.id)], most)
        deliveries = await self.deliveries({row.message_id for row in notices if row.message_id})
        nothing = Delivery(None, [])
        return [(row, deliveries.get(row.message_id or 0, nothing)) for row in notices]

    async def number(self, incident: int) -> int:
        """How many notifications of an incident there are."""
        of_it = col(NotificationRow.incident_id) == incident
        return await self._session.scalar(select(func.count()).where(of_it)) or 0

    async def deliveries(self, numbers: Iterable[int]) -> dict[int, Delivery]:
        """Messages by their numbers, each with its attempts, oldest first."""
        numbers = set(numbers)
        messages = await self._session.scalars(select(MessageRow).where(col(MessageRow.id).in_(numbers)))
        found = {row.id or 0: Delivery(row, []) for row in messages}
        attempts = await self._session.scalars(
            select(MessageAttemptRow)
            .where(col(MessageAttemptRow.message_id).in_(numbers))
            .order_by(col(MessageAttemptRow.id))
        )
        for attempt in attempts:
            found[attempt.message_id].attempts.append(attempt)
        return found


def about_receiver(rule: str, labels: Mapping[str, str]) -> str:
    """The receiver that an incident is about; "" for every other."""
    return labels.get("receiver", "") if rule == RECEIVER_DEAD else ""
