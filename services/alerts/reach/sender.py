"""Empties the outbox: one worker for each channel of each receiver, so that one that is slow holds up nobody else.

A message is claimed, sent outside of any transaction, and its answer recorded. A process that is killed in between sends it
again: at least once, never lost, and the message says that it may be a second copy.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog

from services.alerts.alertfile.live import InForce
from services.alerts.core import sending
from services.alerts.desk import Desk
from services.alerts.metrics import AlertsMetrics
from services.alerts.reach import messagespans
from services.alerts.reach.channels import Channels
from services.alerts.reach.claiming import Claim, Claiming
from services.alerts.reach.concluding import GONE, Concluding, Conclusion
from services.alerts.reach.dead import tell_of_the_dead
from services.alerts.reach.outgoing import Answer
from services.alerts.reach.queue import Lane, Queue
from services.alerts.reach.states import ReceiverStates
from services.alerts.reach.writing import Writing
from services.alerts.trail import incidents_of
from shared import spans
from shared.clock import Clock
from shared.db import Database
from shared.errors import StoreError
from shared.waiting import wait

log = structlog.get_logger(__name__)

RETRIES = sending.RETRIES
RETRY_S = 5.0
LOOK: Final = timedelta(
    seconds=5
)  # asleep at most so long: what another instance left behind when it was killed wakes nobody
MOST_TOUCHED = 50  # incidents that the open pages are told of one by one; of more they learn when they look


class Sender:
    def __init__(
        self,
        *,
        database: Database,
        desk: Desk,
        in_force: InForce,
        writing: Writing,
        states: ReceiverStates,
        clock: Clock,
        metrics: AlertsMetrics,
    ) -> None:
        self._database = database
        self._desk = desk
        self._in_force = in_force
        self._clock = clock
        self._metrics = metrics
        self._states = states
        self._claiming = Claiming(database, writing, desk.views.promised)
        self._concluding = Concluding(database)
        self._busy: set[Lane] = set()
        self._stopping = False
        self._looked_s = -LOOK.total_seconds()  # when receivers were looked after last

    @property
    def busy(self) -> bool:
        """Whether something is being sent, or looked for."""
        return bool(self._busy)

    def stop(self) -> None:
        """Begin nothing more; `run` returns when what is being sent is written down. Cancelled, it would be sent again."""
        self._stopping = True
        self._desk.to_send.set()

    async def run(self) -> None:
        """Until `stop`, or cancelled."""
        async with asyncio.TaskGroup() as workers:
            while not self._stopping:
                self._desk.to_send.clear()
                try:
                    due = await self._start(workers)  # first: people wait for it
                    await self.look_after_receivers()
                except StoreError as exc:
                    log.warning("cannot reach the outbox", reason=str(exc))
                    await self._clock.sleep(RETRY_S)
                    continue
                look = self._clock.now() + LOOK
                await wait(self._desk.to_send, self._clock, look if due is None else min(due, look))

    async def look_after_receivers(self) -> None:
        """When something went otherwise than before, here or, as far as that is known, in another instance."""
        now_s = self._clock.monotonic()
        if not self._states.doubtful and now_s - self._looked_s < LOOK.total_seconds():
            return
        self._looked_s = now_s
        await tell_of_the_dead(self._desk, self._states, self._clock.now())

    async def _lanes(self) -> list[tuple[Lane, datetime]]:
        """Those in which something waits, each with when there is something to do."""
        channels, now = self._in_force.channels, self._clock.now()
        async with self._database.reading() as session:
            work = await Queue(session).work(now)
        found = ((one.lane, one.next_at(channels.limit(one.lane.receiver), now)) for one in work)
        return [(lane, at) for lane, at in found if at is not None]

    async def _start(self, workers: asyncio.TaskGroup) -> datetime | None:
        """Start a worker for each lane that has something to do; when the next one will have, None: not before a change."""
        now, later = self._clock.now(), list[datetime]()
        for lane, at in await self._lanes():
            if lane in self._busy:
                continue  # its worker says when it is done
            if at > now:
                later.append(at)
                continue
            self._busy.add(lane)
            workers.create_task(self._work(lane), name=f"send to {lane.receiver}")
        return min(later, default=None)

    async def _work(self, lane: Lane) -> None:
        """Until there is nothing to do in this lane, as far as it knows."""
        try:
            while not self._stopping and await self._send_one(lane):
                pass
        except StoreError as exc:
            log.warning("cannot reach the outbox", reason=str(exc), receiver=lane.receiver)
            await self._clock.sleep(RETRY_S)
        finally:
            self._busy.discard(lane)
            self._desk.to_send.set()

    async def _send_one(self, lane: Lane) -> bool:
        """False when nothing more waits, or may be sent now."""
        channels = self._in_force.channels
        channel = channels.channel(lane)
        if channel is None:
            number = await self._concluding.gone(lane, channels, self._clock.now())
            self._metrics.notifications.labels("failed").inc(number)
            log.warning("notifications were not sent", receiver=lane.receiver, number=number, answer=GONE)
            return False
        claim = await self._claiming.next(lane, channels, self._clock.now())
        if claim is None:
            return False
        self._metrics.notifications.labels("withheld").inc(len(claim.withheld))
        await self._touched(claim.withheld)
        if claim.outgoing is None:
            return True
        started = self._clock.monotonic()
        answer = await channel.send(claim.outgoing)
        took_s = self._clock.monotonic() - started
        done = await self._recorded(lane, claim, answer, took_s, channels)
        await self._note(lane, claim, answer, took_s, done)
        return claim.more

    async def _recorded(
        self, lane: Lane, claim: Claim, answer: Answer, took_s: float, channels: Channels
    ) -> Conclusion:
        """Write the answer down, for as long as that takes: whoever forgot it would send the message once more.

        Raises StoreError when we are to stop.
        """
        again = False
        while True:
            now = self._clock.now()
            try:
                return await self._concluding.record(lane, claim, answer, took_s, channels, RETRIES, now, again=again)
            except StoreError as exc:
                if self._stopping:
                    raise
                log.warning("cannot write down the answer of a receiver", reason=str(exc), receiver=lane.receiver)
            again = True
            await self._clock.sleep(RETRY_S)

    async def _note(self, lane: Lane, claim: Claim, answer: Answer, took_s: float, done: Conclusion) -> None:
        assert claim.outgoing is not None
        self._metrics.sending.observe(took_s)
        self._metrics.notifications.labels(done.outcome).inc(done.number)
        self._states.attempted(lane.receiver, done.outcome)
        said = {"receiver": lane.receiver, "message": claim.number, "incidents": incidents_of(claim.outgoing)}
        if answer.ok:
            log.info("a message was sent", took_s=round(took_s, 3), **said)
        else:
            log.warning(
                "a message was not sent", outcome=done.outcome, instead=done.instead, answer=answer.text, **said
            )
        if spans.wanted():
            await messagespans.trace(self._database, claim.outgoing, claim.number, answer, took_s, self._clock.now())
        await self._touched([one.number for one in claim.outgoing.told])

    async def _touched(self, numbers: tuple[int, ...] | list[int]) -> None:
        await self._desk.touched(list(dict.fromkeys(numbers[:MOST_TOUCHED])))
