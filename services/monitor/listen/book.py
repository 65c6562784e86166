"""Listens, forks and messages in the database: loaded, written, listed. The caller's unit of work commits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Select, delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.listen.chain import Link
from services.monitor.listen.contract import ORDER_TYPES, order
from services.monitor.listen.ledger import Heard, Message, Outcome
from services.monitor.listen.model import Counted, Fork, Listen
from services.monitor.listen.tables import ForkRow, HeardRow, ListenRow, OutboxRow
from services.monitor.listen.trail import Trail
from shared import commands
from shared.codec import encode
from shared.topics import LISTEN_ORDERS, SWITCH_COMMANDS, Topic

SOURCE: Final = "/monitor/listen"
TOPICS: Final[dict[str, Topic]] = {topic.name: topic for topic in (LISTEN_ORDERS, SWITCH_COMMANDS)}
_LOCK: Final = 0x4C495354  # "LIST": whoever changes listens, of all replicas, does so one after the other


class Posted(Struct, frozen=True):
    """A message as it goes to the broker; `id` is its row's in the outbox."""

    id: int
    topic: str
    key: str
    value: bytes


class ListenQuery(Struct, frozen=True):
    """Which listens. `sites` None: of all; "" and None: any. `start` and `end`: by when they began."""

    sites: frozenset[str] | None = None
    user: str = ""
    agent_id: str = ""
    call_id: str = ""
    open: bool | None = None
    start: datetime | None = None
    end: datetime | None = None


class Book:
    """Queries on one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self) -> None:
        """Be the only one who changes listens until this transaction ends.

        On SQLite a unit of work is that already. It also makes the audit one chain without retries.
        """
        if self._session.get_bind().dialect.name == "postgresql":
            await self._session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})

    async def open_listens(self) -> list[Listen]:
        rows = await self._session.scalars(
            select(ListenRow).where(col(ListenRow.open).is_(True)).order_by(col(ListenRow.id))
        )
        return [_listen(row) for row in rows]

    async def open_forks(self) -> list[Fork]:
        query = select(ForkRow).where(col(ForkRow.open_target).is_not(None)).order_by(col(ForkRow.ordered_at))
        return [Fork(**_fields(row, Fork)) for row in await self._session.scalars(query)]

    async def listen(self, listen_id: str) -> Listen | None:
        row = await self._session.scalar(select(ListenRow).where(col(ListenRow.listen_id) == listen_id))
        return None if row is None else _listen(row)

    async def listens(self, query: ListenQuery, before: int | None, limit: int) -> list[tuple[int, Listen]]:
        """The newest first, each with its number; `before`: only those with a smaller one."""
        found = _where(query)
        if before is not None:
            found = found.where(col(ListenRow.id) < before)
        rows = await self._session.scalars(found.order_by(col(ListenRow.id).desc()).limit(limit))
        return [(row.id or 0, _listen(row)) for row in rows]

    async def seconds(self, listen_ids: Iterable[str], agent_id: str) -> dict[str, float]:
        """How long each of these listens heard this agent."""
        which = col(HeardRow.listen_id).in_(list(listen_ids)), col(HeardRow.agent_id) == agent_id
        query = select(col(HeardRow.listen_id), func.sum(HeardRow.seconds)).where(*which)
        found = await self._session.execute(query.group_by(col(HeardRow.listen_id)))
        return {listen_id: float(seconds) for listen_id, seconds in found}

    async def save(self, outcome: Outcome, now: datetime) -> tuple[list[Posted], Link | None]:
        """Write what changed; the messages, with their places in the outbox, and the audit's newest row if there is one."""
        # targets that became free first: another fork of this transaction may have taken one
        for fork in sorted(outcome.forks, key=lambda one: one.state != "ended"):
            await self._put(ForkRow, col(ForkRow.fork_id) == fork.fork_id, _columns(fork))
            await self._session.flush()
        for listen in outcome.listens:
            await self._put(ListenRow, col(ListenRow.listen_id) == listen.listen_id, _columns(listen))
        for heard in outcome.heard:
            await self._add_heard(heard, now)
        newest = await Trail(self._session).add(outcome.entries) if outcome.entries else None
        rows = [_outgoing(message, now) for message in outcome.messages]
        self._session.add_all(rows)
        await self._session.flush()
        return [_posted(row) for row in rows], newest

    async def waiting(self, before: datetime, limit: int) -> list[Posted]:
        """Messages that were made before then and may not have been sent."""
        query = select(OutboxRow).where(col(OutboxRow.made_at) < before).order_by(col(OutboxRow.id)).limit(limit)
        return [_posted(row) for row in await self._session.scalars(query)]

    async def sent(self, ids: Iterable[int]) -> None:
        """These are with the broker."""
        await self._session.execute(delete(OutboxRow).where(col(OutboxRow.id).in_(list(ids))))

    async def _put(self, table: type[Any], which: Any, values: dict[str, Any]) -> None:
        row = await self._session.scalar(select(table).where(which))
        if row is None:
            self._session.add(table(**values))
            return
        for name, value in values.items():
            setattr(row, name, value)

    async def _add_heard(self, heard: Heard, now: datetime) -> None:
        key = (heard.listen_id, heard.fork_id, heard.call_id, heard.agent_id)
        row = await self._session.get(HeardRow, key)
        if row is None:
            self._session.add(HeardRow(**msgspec.structs.asdict(heard), from_at=now, to_at=now))
        else:
            row.bytes, row.seconds = row.bytes + heard.bytes, row.seconds + heard.seconds
            row.discarded, row.to_at = row.discarded + heard.discarded, now
        await self._session.flush()


def _fields(row: Any, kind: type[Struct]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in kind.__struct_fields__}


def _listen(row: ListenRow) -> Listen:
    values = _fields(row, Listen)
    return Listen(**values | {"counted": msgspec.convert(row.counted, dict[str, Counted])})


def _columns(it: Listen | Fork) -> dict[str, Any]:
    values = msgspec.structs.asdict(it)
    if isinstance(it, Fork):
        return values | {"open_target": it.open_target}
    return values | {"counted": msgspec.to_builtins(it.counted)}


def _outgoing(message: Message, now: datetime) -> OutboxRow:
    """The message as a record. A command's id is the same whoever sends it, so that it is carried out once."""
    envelope: dict[str, Any] = {"source": SOURCE, "site": message.site, "time": now}
    if isinstance(message.data, ORDER_TYPES):
        data: Any = message.data
        subject = data.listen_id if hasattr(data, "listen_id") else data.fork_id
        number = f"{subject}:{type(data).__name__}:{getattr(data, 'version', 0)}"
        value, topic = encode(order(data, id=number, **envelope)), LISTEN_ORDERS
    else:
        made = commands.make(message.data, id=message.id, expires=message.expires, by=message.by, **envelope)
        value, topic = encode(made), SWITCH_COMMANDS
    return OutboxRow(topic=topic.name, key=message.site, value=value, made_at=now)


def _posted(row: OutboxRow) -> Posted:
    return Posted(row.id or 0, row.topic, row.key, row.value)


def _where(query: ListenQuery) -> Select[ListenRow]:
    found = select(ListenRow)
    if query.sites is not None:
        found = found.where(col(ListenRow.site).in_(sorted(query.sites)))
    if query.user:
        found = found.where(col(ListenRow.user) == query.user)
    if query.call_id:
        found = found.where(col(ListenRow.call_id) == query.call_id)
    if query.agent_id:
        heard = select(col(HeardRow.listen_id)).where(col(HeardRow.agent_id) == query.agent_id)
        mine = or_(col(ListenRow.agent_id) == query.agent_id, col(ListenRow.listen_id).in_(heard))
        found = found.where(mine)
    if query.open is not None:
        ended = col(ListenRow.ended_at)
        found = found.where(ended.is_(None) if query.open else ended.is_not(None))
    if query.start is not None:
        found = found.where(col(ListenRow.started_at) >= query.start)
    if query.end is not None:
        found = found.where(col(ListenRow.started_at) < query.end)
    return found
