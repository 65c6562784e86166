"""Who saw which caller's number in full. Rows are only ever added; the database refuses everything else."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.desk.tables import RevealRow
from services.monitor.desk.views import Numbers, Reveal
from shared.identity import Principal
from shared.masking import masked


class Reveals:
    """Queries of reveals; the caller's unit of work commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self, who: Principal, site: str, call_id: str, transfer_id: str, purpose: str, numbers: Numbers, now: datetime
    ) -> None:
        """Write down that `who` is about to see `numbers`, which are masked here as everywhere."""
        self._session.add(
            RevealRow(
                at=now,
                by=who.user,
                by_name=who.name,
                site=site,
                call_id=call_id,
                transfer_id=transfer_id,
                purpose=purpose,
                from_number=masked(numbers.from_number),
                to_number=masked(numbers.to_number),
            )
        )
        await self._session.flush()

    async def newest(
        self, sites: frozenset[str] | None, *, user: str = "", before: int | None = None, limit: int = 100
    ) -> list[Reveal]:
        """The last ones, newest first; `sites` None: of all; `before`: only those with a smaller number."""
        query = select(RevealRow)
        if sites is not None:
            query = query.where(col(RevealRow.site).in_(sorted(sites)))
        if user:
            query = query.where(col(RevealRow.by) == user)
        if before is not None:
            query = query.where(col(RevealRow.id) < before)
        rows = await self._session.scalars(query.order_by(col(RevealRow.id).desc()).limit(limit))
        return [Reveal(**{name: getattr(row, name) for name in Reveal.__struct_fields__}) for row in rows]
