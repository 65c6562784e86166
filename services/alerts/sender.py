"""Empties the outbox: sends each waiting notification outside any transaction and records every attempt.

A crash between the sending and its record sends again: at least once, never lost. One row is claimed by one process
for LEASE; after it, an attempt without a record counts as never made.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from services.alerts.channels import Answer, Channels
from services.alerts.core.incident import Incident, reason_to_withhold
from services.alerts.desk import Desk
from services.alerts.metrics import AlertsMetrics
from services.alerts.outbox import Outbox
from services.alerts.repositories import Incidents
from services.alerts.tables import NotificationRow
from services.alerts.text import Text
from shared.clock import Clock
from shared.db import Database
from shared.errors import StoreError
from shared.waiting import wait

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)  # apprise gives up after seconds; a channel that hangs longer is tried again
# 5 s covers a restart of the other side, the rest an outage; after 40 minutes the page is the only place left
RETRIES = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800))
MAX_AGE = timedelta(hours=1)  # a flag read later than this and already over wakes nobody
RETRY_S = 5.0


class Sender:
    def __init__(
        self, *, database: Database, desk: Desk, channels: Channels, text: Text, clock: Clock, metrics: AlertsMetrics
    ) -> None:
        self._database = database
        self._desk = desk
        self._channels = channels
        self._text = text
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._desk.to_send.clear()
            try:
                if await self.step():
                    continue
                async with self._database.reading() as session:
                    due = await Outbox(session).next_due()
            except StoreError as exc:
                log.warning("cannot reach the outbox", reason=str(exc))
                await self._clock.sleep(RETRY_S)
                continue
            await wait(self._desk.to_send, self._clock, due)

    async def step(self) -> int:
        """Send everything that is due; how many rows that was. Raises StoreError."""
        async with self._database.reading() as session:
            due = await Outbox(session).due(self._clock.now())
        for row in due:
            await self._handle(row)
        return len(due)

    async def _handle(self, row: NotificationRow) -> None:
        incident = await self._claim(row)
        if incident is None:
            return
        title, body = self._text.notification(incident, row.reason)
        started = self._clock.monotonic()
        answer = await self._channels.send(row.channel_key, title, body, incident.severity)
        await self._record(row, title, body, answer, self._clock.monotonic() - started)

    async def _claim(self, row: NotificationRow) -> Incident | None:
        """The incident to tell of; None when another process has the row, or it need not be sent."""
        now = self._clock.now()
        number = row.id or 0
        async with self._database.unit_of_work() as session:
            outbox = Outbox(session)
            if not await outbox.claim(row, now + LEASE):
                return None
            incident = await Incidents(session).get(row.incident_id)
            assert incident is not None, "a foreign key holds it"
            withhold = reason_to_withhold(incident, timedelta(seconds=row.late_s), MAX_AGE)
            if not withhold:
                return incident
            await outbox.finish(number, "withheld", withhold, now)
        self._metrics.notifications.labels("withheld").inc()
        await self._desk.touched(row.incident_id)
        return None

    async def _record(self, row: NotificationRow, title: str, body: str, answer: Answer | None, took_s: float) -> None:
        number, now = row.id or 0, self._clock.now()
        outcome = "sent"
        async with self._database.unit_of_work() as session:
            outbox = Outbox(session)
            await outbox.record_text(number, title, body)
            if answer is None:
                outcome = "failed"
                await outbox.finish(number, "failed", "the channel is no longer configured", now)
            else:
                tried = await outbox.attempts(number)
                outbox.attempted(number, now, took_s, answer.ok, answer.text)
                outcome = await self._conclude(outbox, number, answer, tried, now)
        if answer is not None:
            self._metrics.sending.observe(took_s)
        self._metrics.notifications.labels(outcome).inc()
        if outcome != "sent":
            said = answer.text if answer else "the channel is no longer configured"
            log.warning("a notification was not sent", incident=row.incident_id, channel=row.channel, answer=said)
        await self._desk.touched(row.incident_id)

    async def _conclude(self, outbox: Outbox, number: int, answer: Answer, tried: int, now: datetime) -> str:
        if answer.ok:
            await outbox.finish(number, "sent", answer.text, now)
            return "sent"
        if tried < len(RETRIES):
            await outbox.retry(number, now + RETRIES[tried], answer.text)
            return "retried"
        await outbox.finish(number, "failed", f"given up after {tried + 1} attempts; last answer: {answer.text}", now)
        return "failed"
