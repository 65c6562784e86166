"""Which reports were sent: claimed by one instance, finished by it, listed. Queries only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.periodic.schedule import Run
from services.alerts.periodic.tables import ReportRow
from shared.auth import Scope
from shared.db import insert_into

Identity = tuple[str, str, str, str]


class Reports:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def known(self, identities: Iterable[Identity]) -> dict[Identity, ReportRow]:
        """The rows there are of these."""
        row = ReportRow
        columns = tuple_(col(row.kind), col(row.site), col(row.period), col(row.receiver))
        found = await self._session.scalars(select(row).where(columns.in_(list(identities))))
        return {(one.kind, one.site, one.period, one.receiver): one for one in found}

    async def claim(self, run: Run, now: datetime, until: datetime) -> int | None:
        """Take `run` for this process until `until`; its number, or None when it was done or another process has it."""
        kind, site, period, receiver = run.identity
        added = await self._session.execute(
            insert_into(self._session, ReportRow)
            .values(
                kind=kind,
                site=site,
                period=period,
                first=run.period.first,
                receiver=receiver,
                due_at=run.due,
                state="writing",
                attempts=1,
                claimed_until=until,
                files=[],
                notices=[],
                answer="",
            )
            .on_conflict_do_nothing(index_elements=["kind", "site", "period", "receiver"])
            .returning(col(ReportRow.id))
        )
        number = added.scalar()
        if number is not None:
            return int(number)
        row = ReportRow
        taken = await self._session.execute(
            update(row)
            .where(col(row.kind) == kind, col(row.site) == site, col(row.period) == period)
            .where(col(row.receiver) == receiver, col(row.state) == "writing", col(row.claimed_until) <= now)
            .values(claimed_until=until, attempts=col(row.attempts) + 1)
            .returning(col(row.id))
        )
        again = taken.scalar()
        return None if again is None else int(again)

    async def holds(self, number: int, until: datetime) -> bool:
        """Whether the claim until `until` still stands, for the rest of this transaction: another may have taken it over."""
        row = await self._session.scalar(select(ReportRow).where(col(ReportRow.id) == number).with_for_update())
        return row is not None and row.state == "writing" and row.claimed_until == until

    async def finish(self, number: int, **values: Any) -> None:
        """With a state, and what else is known."""
        await self._session.execute(
            update(ReportRow).where(col(ReportRow.id) == number).values(claimed_until=None, **values)
        )

    async def later(self, number: int, until: datetime, answer: str) -> None:
        """Not to be tried again before `until`."""
        statement = update(ReportRow).where(col(ReportRow.id) == number)
        await self._session.execute(statement.values(claimed_until=until, answer=answer))

    async def attempts(self, number: int) -> int:
        found = await self._session.scalar(select(col(ReportRow.attempts)).where(col(ReportRow.id) == number))
        return found or 0

    async def sent(
        self, *, kind: str | None, site: str, scope: Scope, before: int | None, limit: int
    ) -> Sequence[ReportRow]:
        """Newest first; of sites that `scope` has as a whole."""
        if scope.teams is not None or scope.queues is not None:
            return []
        row = ReportRow
        query = select(row).order_by(col(row.id).desc()).limit(limit)
        if scope.sites is not None:
            query = query.where(col(row.site).in_(scope.sites))
        if kind:
            query = query.where(col(row.kind) == kind)
        if site:
            query = query.where(col(row.site) == site)
        if before is not None:
            query = query.where(col(row.id) < before)
        return (await self._session.scalars(query)).all()
