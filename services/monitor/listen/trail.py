"""The audit's rows: added at the end of the chain, and read. Nothing else is done to them; the database refuses it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.listen.chain import BEGIN, Link, link
from services.monitor.listen.model import Entry
from services.monitor.listen.tables import AuditRow, ListenRow

_PAGE: Final = 1000


class AuditQuery(msgspec.Struct, frozen=True):
    """Which rows. `sites` None: of all; `listen_id`, `agent_id`, `by`, `kind` "": any; `start` and `end`: by their time.

    `by`: what this user did, and whatever else is about a listen of theirs, such as how much was heard.
    """

    sites: frozenset[str] | None = None
    listen_id: str = ""
    agent_id: str = ""
    by: str = ""
    kind: str = ""
    start: datetime | None = None
    end: datetime | None = None


class Trail:
    """Queries of the audit. Who adds holds the lock of `Book`, so that nobody else adds meanwhile."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, entries: Iterable[Entry]) -> Link | None:
        """Add these at the end; the last of them."""
        head = await self._session.scalar(select(AuditRow).order_by(col(AuditRow.id).desc()).limit(1))
        number, prev_hash = (head.id, head.hash) if head is not None else (0, BEGIN)
        made: Link | None = None
        for entry in entries:
            made = link(number + 1, entry, prev_hash)
            number, prev_hash = made.id, made.hash
            self._session.add(AuditRow(**msgspec.structs.asdict(made)))
        await self._session.flush()
        return made

    async def newest(self, query: AuditQuery, *, before: int | None = None, limit: int = 100) -> list[Link]:
        """The last ones, newest first; `before`: only those with a smaller number."""
        found = _where(query)
        if before is not None:
            found = found.where(col(AuditRow.id) < before)
        rows = await self._session.scalars(found.order_by(col(AuditRow.id).desc()).limit(limit))
        return [_link(row) for row in rows]

    async def modes(self, listen_ids: Iterable[str], agent_id: str) -> dict[str, set[str]]:
        """In which modes, besides that it began in, each of these listens was while it heard this agent."""
        which = col(AuditRow.listen_id).in_(list(listen_ids)), col(AuditRow.agent_id) == agent_id
        query = select(col(AuditRow.listen_id), col(AuditRow.mode)).where(*which, col(AuditRow.kind) == "mode")
        found: dict[str, set[str]] = {}
        for listen_id, mode in await self._session.execute(query.distinct()):
            found.setdefault(listen_id, set()).add(mode)
        return found

    async def without_rows(self) -> AsyncIterator[tuple[str, str, datetime]]:
        """Listens that were begun, or that ended, without a row that says so: id, user, begin. There are none unless rows, or
        the audit, were taken away."""
        of_it = select(col(AuditRow.id)).where(col(AuditRow.listen_id) == col(ListenRow.listen_id))
        asked, ended = (of_it.where(col(AuditRow.kind) == kind).exists() for kind in ("asked", "ended"))
        query = select(col(ListenRow.listen_id), col(ListenRow.user), col(ListenRow.started_at))
        query = query.where(or_(~asked, and_(col(ListenRow.ended_at).is_not(None), ~ended)))
        for listen_id, user, started in await self._session.execute(query.order_by(col(ListenRow.id))):
            yield listen_id, user, started

    async def all(self, query: AuditQuery | None = None) -> AsyncIterator[Link]:
        """All of them in their order, read by pages."""
        after: int | None = None
        while True:
            found = _where(query or AuditQuery())
            if after is not None:
                found = found.where(col(AuditRow.id) > after)
            rows = list(await self._session.scalars(found.order_by(col(AuditRow.id)).limit(_PAGE)))
            for row in rows:
                yield _link(row)
            if len(rows) < _PAGE:
                return
            after = rows[-1].id
            self._session.expunge_all()


def _where(query: AuditQuery) -> Select[AuditRow]:
    found = select(AuditRow)
    if query.sites is not None:
        found = found.where(col(AuditRow.site).in_(sorted(query.sites)))
    for name in ("listen_id", "agent_id", "kind"):
        if wanted := getattr(query, name):
            found = found.where(getattr(AuditRow, name) == wanted)
    if query.by:
        theirs = select(col(ListenRow.listen_id)).where(col(ListenRow.user) == query.by)
        found = found.where(or_(col(AuditRow.by) == query.by, col(AuditRow.listen_id).in_(theirs)))
    if query.start is not None:
        found = found.where(col(AuditRow.at) >= query.start)
    if query.end is not None:
        found = found.where(col(AuditRow.at) < query.end)
    return found


def _link(row: AuditRow) -> Link:
    return Link(**{name: getattr(row, name) for name in Link.__struct_fields__})
