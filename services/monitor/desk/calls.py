"""Finished calls of agents."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.desk.tables import CallRow
from services.monitor.desk.views import FinishedCall


class Calls:
    """Queries of finished calls."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of_agent(self, site: str, agent_id: str, limit: int) -> list[FinishedCall]:
        """The agent's last conversations, newest first."""
        rows = await self._session.scalars(
            select(CallRow)
            .where(col(CallRow.site) == site, col(CallRow.agent_id) == agent_id)
            .order_by(col(CallRow.ended).desc(), col(CallRow.id).desc())
            .limit(limit)
        )
        return [_call_of(row) for row in rows]


def _call_of(row: CallRow) -> FinishedCall:
    return FinishedCall(
        call_id=row.call_id,
        direction=row.direction,
        queue=row.queue,
        outcome=row.outcome,
        started_at=row.started,
        answered_at=row.answered,
        ended_at=row.ended,
        waited_s=row.waited_s,
        talk_s=row.talk_s,
        hold_s=row.hold_s,
        from_number=row.from_number,
    )
