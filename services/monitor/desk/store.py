"""The desk's hold of the database: brings it up to date, says whether it answers, and never lets the board wait for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import event, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState

from services.monitor.desk.metrics import DeskMetrics
from shared.backoff import Backoff
from shared.clock import Clock
from shared.db import Database
from shared.errors import StoreError
from shared.migrate import upgrade

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 10.0
LOOK_S: Final = 10.0  # how soon a database that went away is noticed when nobody asks it anything

log = structlog.get_logger()


class Store:
    """Transactions on a database that may be away, at the start too. `trouble` says why it cannot be used, "" when it can."""

    def __init__(self, database: Database | None, clock: Clock, metrics: DeskMetrics) -> None:
        """Without a database everything raises StoreError, and there is nothing to run."""
        self._database = database
        self.exists = database is not None
        self._clock = clock
        self._metrics = metrics
        self.migrated = asyncio.Event()
        self.trouble = "the database was not reached yet" if database else "this monitor has no database"
        self._unwritten = False  # whether it is in trouble because something could not be written

    async def run(self) -> None:
        """Until cancelled: migrate as soon as the database answers, then look every 10 s whether it still does."""
        assert self._database is not None
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while not self.migrated.is_set():
            try:
                await upgrade(self._database, MIGRATIONS)
            except StoreError as exc:  # away, of a newer version, or not to be changed by this user
                self._lost(exc)
            except SQLAlchemyError as exc:
                self._lost(_refusal(exc))
            else:
                self.migrated.set()
                break
            await self._clock.sleep(backoff.next_s())
        while True:
            with contextlib.suppress(StoreError):  # it has been said
                await self._look()
            await self._clock.sleep(LOOK_S)

    async def _look(self) -> None:
        """Whether it answers; where nothing could be written, whether that can be done again. Raises StoreError."""
        if self._unwritten:
            async with self.unit_of_work() as session:
                await session.execute(text("UPDATE alembic_version SET version_num = version_num"))
        else:
            async with self.reading() as session:
                await session.execute(text("SELECT 1"))

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """One transaction that writes, as `Database.unit_of_work`. Raises StoreError."""
        database = self._usable()
        with _Watched(self, writing=True):
            async with database.unit_of_work() as session:
                written = _writes_of(session)
                yield session
            if written.is_set():
                self._unwritten = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A consistent view that writes nothing. Raises StoreError."""
        database = self._usable()
        with _Watched(self, writing=False):
            async with database.reading() as session:
                yield session

    def _usable(self) -> Database:
        if self._database is None or not self.migrated.is_set():
            raise StoreError(self.trouble)
        return self._database

    def _found(self) -> None:
        """It answered. That is not enough where something could not be written: its disk may be full, or it is a standby."""
        if self._unwritten:
            return
        if self.trouble:
            log.info("the database answers; cases, transfers and preferences are kept")
        self.trouble = ""
        self._metrics.database_up.set(1)

    def _lost(self, why: StoreError, *, writing: bool = False) -> None:
        if self.trouble != why.told:
            log.warning(
                "the database is away; the board goes on without cases, finished transfers, preferences", why=str(why)
            )
        self.trouble, self._unwritten = why.told, self._unwritten or writing
        self._metrics.database_up.set(0)


class _Watched:
    """Tells the store how each use of the database went."""

    def __init__(self, store: Store, *, writing: bool) -> None:
        self._store = store
        self._writing = writing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        if exc is None:
            self._store._found()
        elif isinstance(exc, StoreError):
            self._store._lost(exc, writing=self._writing)
        elif isinstance(exc, DBAPIError) and not isinstance(exc, IntegrityError | DataError):
            refused = _refusal(exc)  # not the fault of a row
            self._store._lost(refused, writing=self._writing)
            raise refused from exc


def _writes_of(session: AsyncSession) -> asyncio.Event:
    """Set once `session` was given anything to write."""
    found = asyncio.Event()

    def asked(state: ORMExecuteState) -> None:
        if not state.is_select:
            found.set()

    event.listen(session.sync_session, "do_orm_execute", asked)
    event.listen(session.sync_session, "after_flush", lambda *_: found.set())
    return found


def _refusal(exc: SQLAlchemyError) -> StoreError:
    why = str(getattr(exc, "orig", None) or exc).splitlines()[0]
    return StoreError(f"the database refuses to work: {why}")
