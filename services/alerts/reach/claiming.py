"""What a lane sends next: an old message once more, or a new one of what waits, as many at a time as its limit allows.

With fewer waiting than may be sent each is a message of its own. Else the last message that may go carries all that are left:
what must wait after it goes together when the next may go, the most severe first in every order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from services.alerts.core.course import Coming
from services.alerts.core.incident import Incident, reason_to_withhold
from services.alerts.reach.channels import Channels
from services.alerts.reach.message import Message
from services.alerts.reach.outgoing import Kind, Outgoing, Told
from services.alerts.reach.queue import LEASE, OF_WHAT_IS_RESOLVED, UNRECORDED, Lane, Queue, by_text
from services.alerts.reach.tables import MessageRow
from services.alerts.reach.writing import Matter, Writing
from services.alerts.tables import NotificationRow
from shared.db import Database

MAX_AGE: Final = timedelta(hours=1)  # a flag read later than this and already over wakes nobody

Notices = Sequence[tuple[NotificationRow, Told]]


class Claim(Struct, frozen=True):
    """A message taken by this process until its lease ends; `message` None: nothing needs to be sent.

    `withheld`: incidents of which something is not told after all; `doubtful`: those of which something may be told twice.
    `more`: whether something else may wait in the lane.
    """

    number: int = 0
    began: datetime | None = None
    outgoing: Outgoing | None = None
    withheld: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()
    more: bool = True


class Claiming:
    """`promised`: whom an incident is told to next if nobody acknowledges, for a message about it alone."""

    def __init__(
        self,
        database: Database,
        writing: Writing,
        promised: Callable[[Incident], Coming | None] = lambda _incident: None,
    ) -> None:
        self._database = database
        self._writing = writing
        self._promised = promised

    async def next(self, lane: Lane, channels: Channels, now: datetime) -> Claim | None:
        """The next message of a lane; None when there is nothing to do now. Raises StoreError."""
        async with self._database.unit_of_work() as session:
            queue = Queue(session)
            channel = await queue.channel(lane)
            limit = channels.limit(lane.receiver)
            left = limit.left(channel.full_at, now)
            if left < 1:
                return None
            number, first_due = await queue.open(lane, now)
            message = await queue.message_due(lane, now) if first_due is not None and first_due <= now else None
            claim = None
            if message is not None:
                claim = await self._again(queue, message, channels, now)
            elif number < limit.burst:
                claim = await self._new(queue, lane, left, channels, now)
            if claim is not None and claim.outgoing is not None:
                channel.full_at = limit.spent(channel.full_at, now)
            return claim

    async def _again(self, queue: Queue, message: MessageRow, channels: Channels, now: datetime) -> Claim:
        """A message that was not taken, or of which nobody knows whether it was."""
        doubtful: tuple[int, ...] = ()
        found = await queue.carried_by(message)
        if message.began_at is not None:
            number = message.id or 0
            queue.attempted(number, message.began_at, 0.0, False, UNRECORDED)
            message.doubtful = True
            doubtful = tuple(told.number for _, told in found)
        if message.kind == "test":  # whoever asked has gone, too
            await self._ends(queue, message, "failed", now)
            return Claim()
        notices, withheld = await self._worth_it(queue, found, now)
        if message.kind in ("single", "bundle") and not notices:
            await self._ends(queue, message, "withheld", now)
            return Claim(withheld=withheld, doubtful=doubtful)
        claim = await self._claimed(queue, message, notices, channels, now)
        return msgspec.structs.replace(claim, withheld=withheld, doubtful=doubtful)

    async def _new(self, queue: Queue, lane: Lane, left: int, channels: Channels, now: datetime) -> Claim | None:
        """The last message that may go carries all that wait."""
        most = None if left == 1 else 2  # one, and whether there is another
        notices = await queue.worst(lane, now, most)
        withheld: tuple[int, ...] = ()
        if any(_why_not(row, told) for row, told in notices):
            _, withheld = await self._worth_it(queue, await queue.doubted(lane, now, MAX_AGE), now)
            notices = await queue.worst(lane, now, most)
        if not notices:
            return Claim(withheld=withheld) if withheld else None
        sent, more = (notices, False) if left == 1 else (notices[:1], len(notices) > 1)
        claim = await self._claimed(queue, _message(lane, sent, now), sent, channels, now)
        return msgspec.structs.replace(claim, withheld=withheld, more=more)

    async def _worth_it(self, queue: Queue, found: Notices, now: datetime) -> tuple[Notices, tuple[int, ...]]:
        """Those that are still worth sending, and the incidents of the others, which end as withheld."""
        texts = [(row, told, _why_not(row, told)) for row, told in found]
        for text, rows in by_text((row, text) for row, _, text in texts if text).items():
            await queue.end(rows, "withheld", text, now)
        return [(row, told) for row, told, text in texts if not text], tuple(t.number for _, t, text in texts if text)

    async def _claimed(
        self, queue: Queue, message: MessageRow, notices: Notices, channels: Channels, now: datetime
    ) -> Claim:
        receiver = channels.receivers.get(message.receiver)
        told = tuple(told for _, told in notices)
        kind: Kind = "single" if len(told) == 1 and message.kind == "bundle" else message.kind  # type: ignore[assignment]
        if kind == "single":
            told = (await self._with_next(queue, told[0]),)
        files = await queue.files(message) if kind == "report" else ()
        matter = Matter(
            kind=kind,
            receiver=message.receiver,
            told=told,
            message=Message(message.title, message.body, message.html, files) if kind == "report" else None,
            instead_of=message.instead_of,
            again=message.doubtful,
            at=now,
            robot=channels.robot(Lane(message.receiver, message.channel_key)),
        )
        language, form = (receiver.language, receiver.form) if receiver else ("both", "long")
        written = self._writing.write(matter, language, form, channels.templates.get(message.receiver))
        if kind != "report":
            message.title, message.body = written.title, written.body
        message.began_at, message.due_at = now, now + LEASE
        if message.id is None:
            await queue.new(message, [row for row, _ in notices])
        outgoing = Outgoing(
            key=message.key or f"{message.kind}/{message.id}",
            kind=kind,
            receiver=message.receiver,
            severity=told[0].severity if told else "info",
            form=form,
            message=written,
            told=told,
            instead_of=message.instead_of,
            again=message.doubtful,
            at=now,
        )
        return Claim(message.id or 0, now, outgoing)

    async def _with_next(self, queue: Queue, told: Told) -> Told:
        incident = await queue.incident(told.number)
        return told if incident is None else msgspec.structs.replace(told, next=self._promised(incident))

    async def _ends(self, queue: Queue, message: MessageRow, state: str, now: datetime) -> None:
        message.state, message.due_at, message.began_at, message.finished_at = state, None, None, now
        message.answer = UNRECORDED if message.kind == "test" else "nothing of it was worth sending any more"
        await queue.forget_files(message)


def _message(lane: Lane, notices: Notices, now: datetime) -> MessageRow:
    (first, told), alone = notices[0], len(notices) == 1
    instead = dict.fromkeys(row.instead_of for row, _ in notices if row.instead_of)
    return MessageRow(
        kind="single" if alone else "bundle",
        receiver=lane.receiver,
        channel_key=lane.key,
        channel=first.channel,
        instead_of=", ".join(instead),
        severity=told.severity,
        state="waiting",
        created_at=now,
        key=f"{told.number}/{told.telling}" if alone else "",
    )


def _why_not(row: NotificationRow, told: Told) -> str:
    if row.reason in OF_WHAT_IS_RESOLVED:
        return ""
    return reason_to_withhold(told, timedelta(seconds=row.late_s), MAX_AGE)
