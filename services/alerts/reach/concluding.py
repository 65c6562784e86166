"""What becomes of a message after an attempt: sent, tried again later, or given up and told to somebody else instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from services.alerts.core.sending import delay, instead_of, retries
from services.alerts.reach.channels import Channels
from services.alerts.reach.claiming import Claim
from services.alerts.reach.message import Message
from services.alerts.reach.outbox import Outbox, about_receiver
from services.alerts.reach.outgoing import Answer, Outgoing
from services.alerts.reach.queue import Lane, Queue
from services.alerts.reach.tables import ChannelRow, MessageRow
from services.alerts.tables import NotificationRow
from shared.db import Database

GONE = "the channel is no longer configured"


class Conclusion(Struct, frozen=True):
    """`outcome`: sent, retried or failed; of how many notices (1 for a report); `instead`: who is told in its place."""

    outcome: str
    number: int
    instead: str = ""


class Concluding:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self,
        lane: Lane,
        claim: Claim,
        answer: Answer,
        took_s: float,
        channels: Channels,
        schedule: Sequence[timedelta],
        now: datetime,
        *,
        again: bool = False,
    ) -> Conclusion:
        """Write down the attempt and what follows from it; `again`: it was tried, and nobody knows whether it was done.

        Raises StoreError.
        """
        assert claim.outgoing is not None
        async with self._database.unit_of_work() as session:
            queue = Queue(session)
            channel = await queue.channel(lane)
            message = await queue.get(claim.number)
            number = max(1, message.notices)
            if again and await queue.is_known(claim.number, claim.began or now, answer.text):
                return Conclusion("sent" if answer.ok else "retried", number)
            queue.attempted(claim.number, claim.began or now, took_s, answer.ok, answer.text)
            if message.state != "waiting":  # our lease was over, and another one has brought it to its end
                return Conclusion("sent" if answer.ok else "retried", 0)
            if answer.ok:
                await _sent(queue, message, channel, answer, now)
                return Conclusion("sent", number)
            if message.began_at != claim.began:
                return Conclusion("retried", 0)
            message.doubtful = message.doubtful or answer.maybe
            tried = await queue.attempts(claim.number) - 1
            channel.failing_since = channel.failing_since or now
            channel.answer = message.answer = answer.text
            successors = _successors(message, claim.outgoing, channels)
            can = bool(successors or (message.kind == "report" and channels.then.get(lane.receiver)))
            waits = retries(schedule, can_fall_over=can, dead=channel.dead_since is not None)
            if tried < len(waits):
                message.began_at = None
                message.due_at = now + delay(waits[tried], answer.retry_after, f"{message.id}/{tried}")
                return Conclusion("retried", number)
            channel.dead_since = channel.dead_since or now
            text = f"given up after {tried + 1} attempts; last answer: {answer.text}"
            instead = await _passed_on(session, message, successors, channels, now)
            await _failed(queue, message, text + (f"; told to {instead} instead" if instead else ""), now)
            return Conclusion("failed", number, instead)

    async def gone(self, lane: Lane, channels: Channels, now: datetime) -> int:
        """The lane's channel is configured no more: what waits there goes to those that its receiver has now, if any.

        How many notices and reports that is. Raises StoreError.
        """
        async with self._database.unit_of_work() as session:
            queue = Queue(session)
            await queue.channel(lane)
            rows = [row for row, _ in await queue.worst(lane, now, None)]
            others = channels.of.get(lane.receiver, ())
            text = GONE + (f"; told by what {lane.receiver} has now" if others else "")
            await Outbox(session).pass_on(rows, lane.receiver, others, now)
            await queue.end(rows, "failed", text, now)
            number = len(rows)
            while (message := await queue.message_due(lane, now)) is not None:
                notices = [row for row, _ in await queue.carried_by(message)]
                await Outbox(session).pass_on(notices, lane.receiver, others, now)
                if message.kind == "report":
                    await _report_to(session, queue, message, lane.receiver, channels, now)
                await _failed(queue, message, text, now)
                number += max(1, len(notices))
            return number


async def _sent(queue: Queue, message: MessageRow, channel: ChannelRow, answer: Answer, now: datetime) -> None:
    await queue.end_carried(message, "sent", answer.text, now)
    ended(message, "sent", answer.text, now)
    await queue.forget_files(message)
    works(channel, now)


def works(channel: ChannelRow, now: datetime) -> None:
    """A message was taken: whatever was wrong is over."""
    channel.failing_since = channel.dead_since = None
    channel.sent_at, channel.answer = now, ""


async def _failed(queue: Queue, message: MessageRow, text: str, now: datetime) -> None:
    await queue.end_carried(message, "failed", text, now)
    ended(message, "failed", text, now)
    await queue.forget_files(message)


def ended(message: MessageRow, state: str, answer: str, now: datetime) -> None:
    """Nothing more will happen to this message."""
    message.state, message.answer = state, answer
    message.due_at, message.began_at, message.finished_at = None, None, now


def _successors(message: MessageRow, outgoing: Outgoing, channels: Channels) -> dict[tuple[int, int], str]:
    """Who is told instead of the message's receiver, by incident and telling: with channels, and not whom it is about."""
    found: dict[tuple[int, int], str] = {}
    for told in outgoing.told:
        name = instead_of(message.receiver, channels.then, about_receiver(told.rule, told.labels))
        if channels.of.get(name):
            found[told.number, told.telling] = name
    return found


async def _passed_on(
    session: AsyncSession,
    message: MessageRow,
    successors: Mapping[tuple[int, int], str],
    channels: Channels,
    now: datetime,
) -> str:
    """Who is told instead; "" when nobody needs to be, because another channel of the receiver does it, or there is nobody."""
    queue, outbox = Queue(session), Outbox(session)
    if message.kind == "report":
        name = instead_of(message.receiver, channels.then)
        return name if await _report_to(session, queue, message, name, channels, now) else ""
    by_name: dict[str, list[NotificationRow]] = {}
    for one in await queue.not_told_otherwise(message):
        if (name := successors.get((one.incident_id, one.telling), "")) != "":
            by_name.setdefault(name, []).append(one)
    for name, notices in by_name.items():
        await outbox.pass_on(notices, name, channels.of[name], now)
    return ", ".join(by_name)


async def _report_to(
    session: AsyncSession, queue: Queue, message: MessageRow, receiver: str, channels: Channels, now: datetime
) -> bool:
    report = Message(message.title, message.body, message.html, await queue.files(message))
    instead = message.instead_of or (message.receiver if message.receiver != receiver else "")
    others = channels.for_reports(receiver)
    await Outbox(session).post(receiver, report, others, now, key=message.key, instead_of=instead)
    return bool(others)
