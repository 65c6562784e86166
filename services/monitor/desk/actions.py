"""Actions that people took on the floor, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.desk.figures import About, Figures
from services.monitor.desk.tables import ActionRow
from services.monitor.desk.views import Effect

EFFECT_AFTER: Final = timedelta(minutes=5)  # of the floor's time: a simulated one may run faster than ours


class Action(Struct, frozen=True, kw_only=True):
    """Something that somebody did about the floor. `effect` and `after` are null until five minutes later.

    Whoever does not see all of the site reads their own words only; others' `text_en` and `text_zh` are "" for them, because
    they may name anybody.
    """

    id: int
    site: str
    kind: str
    queue: str
    agents: tuple[str, ...]
    call_id: str
    transfer_id: str
    text_en: str
    text_zh: str
    done_at: datetime
    by: str
    by_name: str
    before: Figures
    after: Figures | None
    effect: Effect | None
    effect_due_at: datetime
    effect_at: datetime | None

    @property
    def about(self) -> About:
        """What it is about."""
        return About(
            site=self.site, queue=self.queue, agents=self.agents, call_id=self.call_id, transfer_id=self.transfer_id
        )


class Actions:
    """Queries of actions; the caller's unit of work commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self,
        about: About,
        kind: str,
        text_en: str,
        text_zh: str,
        *,
        by: str,
        by_name: str,
        before: Figures,
        now: datetime,
        speed: float = 1.0,
    ) -> Action:
        """Write a new one down. `speed`: seconds of the site's time in one of ours."""
        row = ActionRow(
            site=about.site,
            kind=kind,
            queue=about.queue,
            agents=list(about.agents),
            call_id=about.call_id,
            transfer_id=about.transfer_id,
            text_en=text_en,
            text_zh=text_zh,
            done_at=now,
            by=by,
            by_name=by_name,
            before=msgspec.to_builtins(before),
            effect_due_at=now + EFFECT_AFTER / speed,
        )
        self._session.add(row)
        await self._session.flush()
        return _action_of(row)

    async def newest(self, sites: frozenset[str] | None, limit: int, before: int | None = None) -> list[Action]:
        """The last ones, newest first; `sites` None: of all; `before`: only those with a smaller number."""
        query = select(ActionRow)
        if sites is not None:
            query = query.where(col(ActionRow.site).in_(sorted(sites)))
        if before is not None:
            query = query.where(col(ActionRow.id) < before)
        rows = await self._session.scalars(query.order_by(col(ActionRow.id).desc()).limit(limit))
        return [_action_of(row) for row in rows]

    async def due(self, now: datetime, limit: int) -> list[Action]:
        """Those whose effect is to be looked at, the longest due first."""
        rows = await self._session.scalars(
            select(ActionRow)
            .where(col(ActionRow.effect) == "", col(ActionRow.effect_due_at) <= now)
            .order_by(col(ActionRow.effect_due_at), col(ActionRow.id))
            .limit(limit)
        )
        return [_action_of(row) for row in rows]

    async def next_due(self) -> datetime | None:
        """When the next effect is to be looked at; None while there is none."""
        return await self._session.scalar(
            select(func.min(col(ActionRow.effect_due_at))).where(col(ActionRow.effect) == "")
        )

    async def put_effect(self, number: int, effect: Effect, after: Figures, now: datetime) -> bool:
        """Write the effect down, once: False when another replica has."""
        done = await self._session.execute(
            update(ActionRow)
            .where(col(ActionRow.id) == number, col(ActionRow.effect) == "")
            .values(effect=effect, after=msgspec.to_builtins(after), effect_at=now)
            .returning(col(ActionRow.id))
        )
        return done.first() is not None


def _action_of(row: ActionRow) -> Action:
    same = ("site", "kind", "queue", "call_id", "transfer_id", "text_en", "text_zh", "done_at", "by", "by_name",
            "effect_due_at", "effect_at")  # fmt: skip
    assert row.id is not None
    effect: Effect | None = msgspec.convert(row.effect or None, Effect | None)
    return Action(
        id=row.id,
        agents=tuple(row.agents),
        before=msgspec.convert(row.before, Figures),
        after=msgspec.convert(row.after, Figures) if row.after else None,
        effect=effect,
        **{name: getattr(row, name) for name in same},
    )


def newest_of(actions: Sequence[Action]) -> int | None:
    """The smallest number of a page: where an older page begins."""
    return actions[-1].id if actions else None
