"""Calls that somebody took in order to hear them, so that no two inspectors go to the same one and none is left out.

A claim is over 60 s after it was made or its holder last heard the call, or when they give it back. The database decides who
was first, whichever replica was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.listen.tables import HeardRow, ListenRow
from services.monitor.listen.work.tables import ClaimRow
from shared.db import UtcDateTime, insert_into
from shared.errors import FloorwatchError
from shared.identity import Principal

HELD: Final = timedelta(seconds=60)
FORGOTTEN: Final = timedelta(hours=12)  # after that the call is over, whatever the switch said


class Claim(Struct, frozen=True, kw_only=True):
    """Who took a call. `until`: when it is free again unless they hear it; null while they do."""

    site: str
    call_id: str
    user: str
    user_name: str
    claimed_at: datetime
    until: datetime | None


class ClaimedByOther(FloorwatchError):
    """Somebody else took the call, and still holds it. `claim`: theirs."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(f"{claim.user_name or claim.user} took this call already")
        self.claim = claim


class Claims:
    """Queries of claims; the caller's unit of work commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def take(self, who: Principal, site: str, call_id: str, now: datetime) -> Claim:
        """`who` takes the call, or takes it again, which begins their 60 s anew. Raises ClaimedByOther."""
        await self._session.execute(delete(ClaimRow).where(col(ClaimRow.claimed_at) < now - FORGOTTEN))
        mine = {"site": site, "call_id": call_id, "user": who.user, "user_name": who.name, "claimed_at": now}
        row = None
        while row is None:  # one that was there may be given back before it is read
            await self._session.execute(insert_into(self._session, ClaimRow).values(**mine).on_conflict_do_nothing())
            of_call = (col(ClaimRow.site) == site, col(ClaimRow.call_id) == call_id)
            row = (await self._session.scalars(select(ClaimRow).where(*of_call).with_for_update())).first()
        if row.user != who.user:
            held = await self._held([row], now)
            if held:
                raise ClaimedByOther(held[0])
        for name, value in mine.items():
            setattr(row, name, value)
        self._session.add(row)
        await self._session.flush()
        return (await self._held([row], now))[0]

    async def give_back(self, who: Principal, site: str, call_id: str) -> None:
        """`who` holds it no longer; somebody else's claim stays."""
        mine = (col(ClaimRow.site) == site, col(ClaimRow.call_id) == call_id, col(ClaimRow.user) == who.user)
        await self._session.execute(delete(ClaimRow).where(*mine))

    async def held(self, sites: Iterable[str] | None, now: datetime) -> list[Claim]:
        """Every claim that holds; `sites` None: of all."""
        query = select(ClaimRow).where(col(ClaimRow.claimed_at) >= now - FORGOTTEN)
        if sites is not None:
            query = query.where(col(ClaimRow.site).in_(sorted(sites)))
        rows = (await self._session.scalars(query.order_by(col(ClaimRow.claimed_at)))).all()
        return await self._held(rows, now)

    async def _held(self, rows: Sequence[ClaimRow], now: datetime) -> list[Claim]:
        """Those of `rows` that hold: made lately, or their holder hears the call or did lately."""
        if not rows:
            return []
        hearing, heard = await self._hearing(rows), await self._heard(rows)
        held = []
        for row in rows:
            key = (row.site, row.call_id, row.user)
            until = max(row.claimed_at, heard.get(key, row.claimed_at)) + HELD
            if key in hearing or until > now:
                names = ("site", "call_id", "user", "user_name", "claimed_at")
                values = {name: getattr(row, name) for name in names}
                held.append(Claim(until=None if key in hearing else until, **values))
        return held

    async def _hearing(self, rows: Sequence[ClaimRow]) -> set[tuple[str, str, str]]:
        wanted = col(ListenRow.call_id).in_(sorted({row.call_id for row in rows}))
        found = await self._session.execute(
            select(col(ListenRow.site), col(ListenRow.call_id), col(ListenRow.user)).where(
                and_(wanted, col(ListenRow.open), col(ListenRow.ended_at).is_(None))
            )
        )
        return {(site, call_id, user) for site, call_id, user in found}

    async def _heard(self, rows: Sequence[ClaimRow]) -> dict[tuple[str, str, str], datetime]:
        """When each last was heard by somebody."""
        key = (col(HeardRow.site), col(HeardRow.call_id), col(HeardRow.user))
        wanted = col(HeardRow.call_id).in_(sorted({row.call_id for row in rows}))
        newest = func.max(col(HeardRow.to_at), type_=UtcDateTime())
        found = await self._session.execute(select(*key, newest).where(wanted).group_by(*key))
        return {(site, call_id, user): last for site, call_id, user, last in found}
