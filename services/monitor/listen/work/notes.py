"""Notes about what was heard, each pinned to the second. They are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.listen.tables import ForkRow, HeardRow, ListenRow
from services.monitor.listen.work.tables import NoteRow
from shared.errors import FloorwatchError
from shared.identity import Principal
from shared.masking import masked_text

MOST: Final = 500  # of one listen
LATEST: Final = timedelta(hours=12)  # after the listen, in which its listener may still write
SLACK_S: Final = 5.0  # by which a browser's idea of the listen's length may be off


class Note(Struct, frozen=True, kw_only=True):
    """A note about a moment of a call. `at_s`: seconds into the listen; `said_at`: that moment."""

    id: int
    listen_id: str
    site: str
    call_id: str
    agent_id: str
    at_s: float
    said_at: datetime
    text: str
    by: str
    by_name: str
    written_at: datetime


class NoteRefused(FloorwatchError):
    """The note cannot be taken: of a moment that was not heard, too late, or one too many."""


class Notes:
    """Queries of notes; the caller's unit of work commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def listen(self, listen_id: str) -> ListenRow | None:
        """The listen that notes are of."""
        return (await self._session.scalars(select(ListenRow).where(col(ListenRow.listen_id) == listen_id))).first()

    async def add(self, who: Principal, listen: ListenRow, at_s: float, text: str, now: datetime) -> Note:
        """`who` writes about their own listen. Raises NoteRefused."""
        await self._check(listen, at_s, now)
        said_at = listen.started_at + timedelta(seconds=at_s)
        call_id, agent_id = await self._whom(listen, said_at)
        row = NoteRow(
            listen_id=listen.listen_id,
            site=listen.site,
            call_id=call_id,
            agent_id=agent_id,
            at_s=at_s,
            said_at=said_at,
            text=text,
            by=who.user,
            by_name=who.name,
            written_at=now,
        )
        self._session.add(row)
        await self._session.flush()
        return note_of(row)

    async def _check(self, listen: ListenRow, at_s: float, now: datetime) -> None:
        over = listen.ended_at
        if over is not None and now > over + LATEST:
            raise NoteRefused(f"this listen ended more than {LATEST.total_seconds() / 3600:.0f} h ago")
        length = ((over or now) - listen.started_at).total_seconds()
        if at_s > length + SLACK_S:
            raise NoteRefused(f"at_s is {at_s:g}, and the listen has lasted {length:.1f} s")
        of_listen = col(NoteRow.listen_id) == listen.listen_id
        if (await self._session.scalar(select(func.count()).select_from(NoteRow).where(of_listen)) or 0) >= MOST:
            raise NoteRefused(f"this listen has {MOST} notes already")

    async def _whom(self, listen: ListenRow, at: datetime) -> tuple[str, str]:
        """The call and the agent that were heard at this moment; a listen that follows an agent has many calls."""
        forks = select(HeardRow, ForkRow).join(ForkRow, col(ForkRow.fork_id) == col(HeardRow.fork_id))
        before = forks.where(col(HeardRow.listen_id) == listen.listen_id, col(ForkRow.up_at) <= at)
        found = (await self._session.execute(before.order_by(col(ForkRow.up_at).desc()).limit(1))).first()
        if found is None:  # what is heard now is written down when it is over
            return listen.call_id, listen.agent_id
        heard, fork = found
        of_that = fork.ended_at is None or fork.ended_at >= at or not listen.call_id
        return (heard.call_id, heard.agent_id) if of_that else (listen.call_id, listen.agent_id)

    async def of_listen(self, listen_id: str) -> Sequence[Note]:
        """Its notes by their moment."""
        rows = await self._session.scalars(select(NoteRow).where(col(NoteRow.listen_id) == listen_id))
        return sorted((note_of(row) for row in rows), key=_moment)

    async def of_call(self, site: str, call_id: str) -> Sequence[Note]:
        """The notes of everybody who heard this call, by their moment; the first MOST."""
        of_call = (col(NoteRow.site) == site, col(NoteRow.call_id) == call_id)
        rows = await self._session.scalars(select(NoteRow).where(*of_call).order_by(col(NoteRow.id)).limit(MOST))
        return sorted((note_of(row) for row in rows), key=_moment)


def note_of(row: NoteRow) -> Note:
    """The row as it is answered."""
    return Note(**{name: getattr(row, name) for name in Note.__struct_fields__})


def read_by(who: Principal, note: Note) -> Note:
    """As `who` may read it: without the numbers that somebody typed, unless they work with them."""
    return note if who.reads_notes else msgspec.structs.replace(note, text=masked_text(note.text))


def _moment(note: Note) -> tuple[datetime, int]:
    return note.said_at, note.id
