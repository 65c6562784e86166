"""Attempts to send as spans, each behind the incident that the message tells of."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import col

from services.alerts.reach.outgoing import Answer, Outgoing
from services.alerts.tables import FlagRow, IncidentRow
from services.alerts.trail import incidents_of, step_of_incident
from shared import spans
from shared.db import Database
from shared.tracing import step_id


async def trace(
    database: Database, outgoing: Outgoing, number: int, answer: Answer, took_s: float, now: datetime
) -> None:
    """One for each trace that the message is about: that of the flag with which an incident began. Raises StoreError."""
    query = (
        select(col(IncidentRow.opened_by), col(FlagRow.trace))
        .join(FlagRow, col(FlagRow.flag_id) == col(IncidentRow.opened_by))
        .where(col(IncidentRow.id).in_(incidents_of(outgoing)))
    )
    async with database.reading() as session:
        found = (await session.execute(query)).all()
    for flag_id, trace_id in found:
        spans.add(
            spans.Span(
                trace=trace_id,
                id=step_id(f"message:{number}:{now.isoformat()}"),
                name="message sent" if answer.ok else "message not sent",
                start=now - timedelta(seconds=took_s),
                end=now,
                parent=step_of_incident(flag_id),
                attributes={"receiver": outgoing.receiver, "message": number},
                failed=not answer.ok,
            )
        )
