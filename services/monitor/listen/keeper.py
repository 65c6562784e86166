"""Keeps listens as they should be: carries what happened into the database, one transaction after the other, and tells relay and
switch. Every replica runs one; the database decides who was first, and whoever comes second finds it done.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.desk.store import Store
from services.monitor.desk.tables import PositionRow
from services.monitor.listen.book import Book, Posted
from services.monitor.listen.chain import Link
from services.monitor.listen.contract import Report, decode_report
from services.monitor.listen.courier import Courier
from services.monitor.listen.ledger import Outcome, World
from services.monitor.listen.metrics import ListenMetrics
from services.monitor.listen.session import Sessions
from shared.bus import Bus, Partition, Record
from shared.clock import Clock
from shared.errors import FloorwatchError, StoreError
from shared.events import CommandAnswered
from shared.intake import Intake, Item, after, fresh
from shared.positions import Position, Positions
from shared.topics import LISTEN_REPORTS
from shared.waiting import wait

LOOK_S: Final = 1.0  # how soon what time alone brings is seen
REST_S: Final = 0.05  # between two looks, while the floor changes all the time
_SHARE: Final = 4.0  # and so many times as long as a look took
_ANSWERS: Final = 10_000  # connectors' answers that wait; the oldest go first

T = TypeVar("T")
log = structlog.get_logger()


class Keeper:
    """One replica's."""

    def __init__(self, store: Store, world: World, courier: Courier, clock: Clock, metrics: ListenMetrics) -> None:
        self._store = store
        self._world = world
        self._courier = courier
        self._clock = clock
        self._metrics = metrics
        self._answers: deque[CommandAnswered] = deque(maxlen=_ANSWERS)
        self._stirred = asyncio.Event()
        self._any_open = True  # until a look has shown that there is none

    def stir(self) -> None:
        """The floor changed."""
        if self._any_open:
            self._stirred.set()

    def answered(self, said: CommandAnswered) -> None:
        """A connector said what it did with a command."""
        if said.fork_id:
            if len(self._answers) == _ANSWERS:
                log.error(
                    "too many answers wait for the database: the oldest is given up",
                    command=self._answers[0].command_id,
                )
            self._answers.append(said)
            self._stirred.set()

    async def run(self) -> None:
        """Until cancelled: look after every change of the floor, and once a second."""
        while True:
            self._stirred.clear()
            began = self._clock.monotonic()
            due = self._clock.now() + timedelta(seconds=LOOK_S)
            try:
                await self.look()
            except StoreError:  # the store has said so; the relay ends by itself what is not renewed
                await self._clock.sleep(LOOK_S)
                continue
            took = self._clock.monotonic() - began
            await self._clock.sleep(max(REST_S, _SHARE * took))  # the loop is the board's as well
            await wait(self._stirred, self._clock, due)

    async def look(self) -> None:
        """See whether anything is to be done, and do it. Raises StoreError."""
        async with self._store.reading() as session:
            sessions = await self._load(session)
        self._any_open = bool(sessions.listens or sessions.forks)
        self._metrics.open.set(sum(one.ended_at is None for one in sessions.listens.values()))
        answers = list(self._answers)
        if not self._any_open:
            self._drop(answers)
            return
        self._advance(sessions, answers)
        if _is_nothing(sessions.finish()):
            self._drop(answers)
            return
        await self.change(lambda fresh_ones: self._advance(fresh_ones, answers))
        self._drop(answers)

    async def change(self, work: Callable[[Sessions], T]) -> T:
        """Do `work` on the listens as they stand, write what came of it, then send it. Raises StoreError, and as `work`."""
        async with self._store.unit_of_work() as session:
            result, outcome, messages, newest = await self._within(session, work)
        self._any_open = True
        self._stirred.set()
        self._count(outcome, newest)
        await self._courier.send(messages)
        return result

    async def _within(
        self, session: AsyncSession, work: Callable[[Sessions], T]
    ) -> tuple[T, Outcome, list[Posted], Link | None]:
        book = Book(session)
        await book.lock()
        sessions = await self._load(session)
        result = work(sessions)
        outcome = sessions.finish()
        messages, newest = await book.save(outcome, self._clock.now())
        return result, outcome, messages, newest

    async def _load(self, session: AsyncSession) -> Sessions:
        book = Book(session)
        return Sessions(self._clock.now(), await book.open_listens(), await book.open_forks(), self._world)

    def _advance(self, sessions: Sessions, answers: Sequence[CommandAnswered]) -> None:
        for said in answers:
            sessions.answered(said)
        sessions.review()

    def _drop(self, answers: Sequence[CommandAnswered]) -> None:
        for said in answers:
            if self._answers and self._answers[0] is said:  # else it was given up meanwhile
                self._answers.popleft()

    def _count(self, outcome: Outcome, newest: Link | None) -> None:
        for entry in outcome.entries:
            log.info("listening", what=entry.kind, listen=entry.listen_id, site=entry.site, by=entry.by)
            if entry.kind == "asked":
                self._metrics.asked.inc()
            elif entry.kind == "ended":
                reason = next((one.reason for one in outcome.listens if one.listen_id == entry.listen_id), "")
                self._metrics.ended.labels(reason).inc()
                if newest is not None:  # a witness outside of the database
                    log.info("audit of listening", rows=newest.id, head=newest.hash)

    # ------------------------------------------------------------ reports of relays, as `shared.intake` sees their way

    def intake(self, bus: Bus) -> Intake[Report]:
        """What reads `listen.reports`, on a bus of its own. Each report is taken by one replica, in order."""
        return Intake("monitor", LISTEN_REPORTS, bus=bus, clock=self._clock, read=_read, sink=self, watch=self)

    async def positions(self) -> Mapping[Partition, Position]:
        async with self._store.reading() as session:
            return await Positions(session, PositionRow).all(LISTEN_REPORTS.name)

    async def take(self, items: Sequence[Item[Report]]) -> None:
        async with self._store.unit_of_work() as session:
            await Book(session).lock()
            positions = Positions(session, PositionRow)
            new = fresh(items, await positions.all(LISTEN_REPORTS.name, for_change=True))
            reports = [item.fact for item in new if item.fact is not None]

            def work(sessions: Sessions) -> None:
                for one in reports:
                    sessions.reported(one.data)
                sessions.review()

            _, outcome, messages, newest = await self._within(session, work)
            await positions.save(after(new), self._clock.now())
        self._stirred.set()
        self._count(outcome, newest)
        await self._courier.send(messages)

    async def start_anew(self) -> None:
        """The broker's log was replaced: nothing that is in it was read."""
        async with self._store.unit_of_work() as session:
            await Positions(session, PositionRow).forget(LISTEN_REPORTS.name)

    def live(self) -> None:
        """Reports come in."""

    def lost(self, why: FloorwatchError) -> None:
        log.warning("reports of the relay wait", why=str(why))

    def refused(self, reason: str) -> None:
        self._metrics.dead_letters.labels(reason).inc()

    def not_kept(self, records: int) -> None:
        self._metrics.not_kept.inc(records)

    def lag(self, records: int) -> None:
        """How many reports wait says nothing here: they are taken as they come."""


def _is_nothing(outcome: Outcome) -> bool:
    return not (outcome.listens or outcome.forks or outcome.entries or outcome.messages)


def _read(record: Record) -> Report | None:
    return decode_report(record.value)
