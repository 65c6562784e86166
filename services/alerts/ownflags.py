"""The flags of ours (`core.own`) that stand, as the database has them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.core.incident import OWN_PREFIX
from services.alerts.core.own import OwnFlag
from services.alerts.tables import FlagRow

_STANDS: ColumnElement[bool] = literal_column("flags.status = 'active'")  # as in its index: flags are kept for years


class OwnFlags:
    """Queries; the caller's unit of work commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def standing(self, rules: Collection[str] = ()) -> list[OwnFlag]:
        """Those whose condition holds as far as we know; of these rules, or of all."""
        query = select(FlagRow).where(_STANDS, col(FlagRow.flag_id).startswith(OWN_PREFIX, autoescape=True))
        if rules:
            query = query.where(col(FlagRow.rule).in_(set(rules)))
        rows = await self._session.scalars(query.order_by(col(FlagRow.raised), col(FlagRow.flag_id)))
        return [OwnFlag(row.flag_id, row.site, row.rule, row.subject_id, row.started) for row in rows]
