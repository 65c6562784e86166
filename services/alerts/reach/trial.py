"""A test of a receiver: a message that says that it is one, sent at once to each of its channels, once, and recorded."""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec
from msgspec import Struct

from services.alerts.alertfile.live import InForce
from services.alerts.desk import Desk
from services.alerts.reach.channels import Channels
from services.alerts.reach.concluding import ended, works
from services.alerts.reach.message import Message
from services.alerts.reach.outbox import ChannelName
from services.alerts.reach.outgoing import Answer, Outgoing
from services.alerts.reach.queue import LEASE, Lane, Queue
from services.alerts.reach.states import ReceiverStates
from services.alerts.reach.tables import MessageRow
from services.alerts.reach.writing import Matter, Writing
from shared.clock import Clock
from shared.db import Database


class Result(Struct, frozen=True):
    """What became of the test of one channel."""

    channel: str
    at: datetime
    took_s: float
    ok: bool
    answer: str


def message_of(
    channels: Channels, writing: Writing, name: str, by: str = "", channel: ChannelName | None = None
) -> Message:
    """The test message as receiver `name` gets it by `channel`."""
    receiver = channels.receivers[name]
    robot = None if channel is None else channels.robot(Lane(name, channel.key))
    return writing.write(Matter(kind="test", receiver=name, by=by, robot=robot), receiver.language, receiver.form)


async def send_directly(
    channels: Channels, writing: Writing, name: str, channel: ChannelName, clock: Clock, key: str, by: str = ""
) -> tuple[Outgoing, Result]:
    """One test of one channel, recorded nowhere."""
    now = clock.now()
    outgoing = Outgoing(
        key=key,
        kind="test",
        receiver=name,
        severity="info",
        form=channels.receivers[name].form,
        message=message_of(channels, writing, name, by, channel),
        told=(),
        instead_of="",
        again=False,
        at=now,
    )
    started = clock.monotonic()
    found = channels.channel(Lane(name, channel.key))
    answer = await found.send(outgoing) if found is not None else Answer(False, "there is no such channel")
    return outgoing, Result(channel.label, now, clock.monotonic() - started, answer.ok, answer.text)


class Trials:
    """Tests from the page and the API."""

    def __init__(
        self,
        database: Database,
        desk: Desk,
        in_force: InForce,
        writing: Writing,
        states: ReceiverStates,
        clock: Clock,
    ) -> None:
        self._database = database
        self._states = states
        self._desk = desk
        self._in_force = in_force
        self._writing = writing
        self._clock = clock

    async def test(self, name: str, by: str) -> list[Result] | None:
        """None when there is no such receiver. A failed one makes no receiver dead; a success ends that. Raises StoreError."""
        channels = self._in_force.channels
        if name not in channels.receivers:
            return None
        found = await asyncio.gather(*(self._test(channels, name, one, by) for one in channels.of[name]))
        self._states.doubtful = True
        self._desk.to_send.set()  # whoever looks after receivers looks again
        return found

    async def _test(self, channels: Channels, name: str, channel: ChannelName, by: str) -> Result:
        lane, now = Lane(name, channel.key), self._clock.now()
        message = message_of(channels, self._writing, name, by, channel)
        async with self._database.unit_of_work() as session:
            queue = Queue(session)
            state = await queue.channel(lane)
            state.full_at = channels.limit(name).spent(state.full_at, now)  # it counts, but it does not wait
            row = await queue.new(_row(lane, channel, message, now))
        number = row.id or 0
        _, result = await send_directly(channels, self._writing, name, channel, self._clock, f"test/{number}", by)
        async with self._database.unit_of_work() as session:
            queue = Queue(session)
            state = await queue.channel(lane)
            row = await queue.get(number)
            queue.attempted(number, result.at, result.took_s, result.ok, result.answer)
            ended(row, "sent" if result.ok else "failed", result.answer, self._clock.now())
            if result.ok:
                works(state, self._clock.now())
        return msgspec.structs.replace(result, channel=channel.label)


def _row(lane: Lane, channel: ChannelName, message: Message, now: datetime) -> MessageRow:
    return MessageRow(
        kind="test",
        receiver=lane.receiver,
        channel_key=lane.key,
        channel=channel.label,
        severity="info",
        state="waiting",
        created_at=now,
        due_at=now + LEASE,
        began_at=now,
        title=message.title,
        body=message.body,
    )
