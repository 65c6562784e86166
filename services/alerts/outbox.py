"""The outbox: notifications written with their incident, claimed and finished by the sender. Queries only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.core.incident import Incident, Reason
from services.alerts.tables import AttemptRow, NotificationRow

State = Literal["waiting", "sent", "failed", "withheld", "no_channel"]
STATES: tuple[State, ...] = ("waiting", "sent", "failed", "withheld", "no_channel")


class ChannelName(Struct, frozen=True):
    """A channel as it is stored: `key` tells channels apart, `label` is for people; neither holds a secret."""

    key: str
    label: str


class Outbox:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def told(self, numbers: Iterable[int]) -> dict[int, frozenset[int]]:
        """Which openings of these incidents have their notification already."""
        rows = await self._session.execute(
            select(col(NotificationRow.incident_id), col(NotificationRow.opening)).where(
                col(NotificationRow.incident_id).in_(set(numbers))
            )
        )
        found: dict[int, frozenset[int]] = {}
        for number, opening in rows:
            found[number] = found.get(number, frozenset()) | {opening}
        return found

    def add(
        self, incident: Incident, reason: Reason, channels: Sequence[ChannelName], late: timedelta, now: datetime
    ) -> None:
        """One row for each channel; without any channel, one that says so."""
        for channel in channels or (ChannelName("", ""),):
            self._session.add(
                NotificationRow(
                    incident_id=incident.id,
                    opening=incident.openings,
                    reason=reason.value,
                    channel_key=channel.key,
                    channel=channel.label,
                    state="waiting" if channels else "no_channel",
                    created_at=now,
                    due_at=now if channels else None,
                    finished_at=None if channels else now,
                    late_s=max(0.0, late.total_seconds()),
                    answer="" if channels else "no channel configured",
                )
            )

    async def due(self, now: datetime, limit: int = 50) -> list[NotificationRow]:
        """Waiting rows whose time has come, oldest first."""
        rows = await self._session.scalars(
            select(NotificationRow)
            .where(col(NotificationRow.state) == "waiting", col(NotificationRow.due_at) <= now)
            .order_by(col(NotificationRow.due_at), col(NotificationRow.id))
            .limit(limit)
        )
        return list(rows.all())

    async def next_due(self) -> datetime | None:
        return await self._session.scalar(
            select(func.min(NotificationRow.due_at)).where(col(NotificationRow.state) == "waiting")
        )

    async def claim(self, row: NotificationRow, until: datetime) -> bool:
        """Take `row` for this process until `until`; False when another one was quicker."""
        result = await self._session.execute(
            update(NotificationRow)
            .where(
                col(NotificationRow.id) == row.id,
                col(NotificationRow.state) == "waiting",
                col(NotificationRow.due_at) == row.due_at,
            )
            .values(due_at=until)
            .returning(col(NotificationRow.id))
        )
        return result.first() is not None

    async def attempts(self, number: int) -> int:
        """How often notification `number` was tried."""
        statement = select(func.count()).where(col(AttemptRow.notification_id) == number)
        return await self._session.scalar(statement) or 0

    def attempted(self, number: int, at: datetime, took_s: float, ok: bool, answer: str) -> None:
        self._session.add(AttemptRow(notification_id=number, at=at, took_s=took_s, ok=ok, answer=answer))

    async def retry(self, number: int, at: datetime, answer: str) -> None:
        await self._update(number, due_at=at, answer=answer)

    async def finish(self, number: int, state: State, answer: str, now: datetime) -> None:
        await self._update(number, state=state, due_at=None, finished_at=now, answer=answer)

    async def record_text(self, number: int, title: str, body: str) -> None:
        await self._update(number, title=title, body=body)

    async def of(self, incident: int) -> list[tuple[NotificationRow, list[AttemptRow]]]:
        """The notifications of an incident, each with its attempts, oldest first."""
        rows = await self._session.scalars(
            select(NotificationRow)
            .where(col(NotificationRow.incident_id) == incident)
            .order_by(col(NotificationRow.id))
        )
        found = {row.id: (row, list[AttemptRow]()) for row in rows}
        attempts = await self._session.scalars(
            select(AttemptRow).where(col(AttemptRow.notification_id).in_(found)).order_by(col(AttemptRow.id))
        )
        for attempt in attempts:
            found[attempt.notification_id][1].append(attempt)
        return list(found.values())

    async def _update(self, number: int, **values: object) -> None:
        await self._session.execute(update(NotificationRow).where(col(NotificationRow.id) == number).values(**values))
