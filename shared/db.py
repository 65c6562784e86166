"""The database: SQLite by default, PostgreSQL by URL. The only place that commits.

`Database.unit_of_work()` is one transaction: it commits once, at the end, or rolls back. On SQLite it takes the write
lock with its first statement (BEGIN IMMEDIATE), so that what it reads stays true and two writers queue instead of failing
halfway; readers never wait (WAL).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import DateTime, Dialect, NullPool, Select, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.types import TypeDecorator

from shared import dbsessions
from shared.dbtls import tls_of
from shared.errors import SettingsError, StoreError
from shared.tls import why_not

T = TypeVar("T")
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
BUSY_TIMEOUT_MS = 5_000  # a writer's turn takes milliseconds; longer than this means a stuck process
CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 10  # to one statement of those that people and other work wait for; they take milliseconds
LONG_TIMEOUT_S = 900  # to one that goes through whole tables
POOL_TIMEOUT_S = 10  # until one of our own connections is free

# PostgreSQL's SQLSTATEs that say nothing against a statement: connection, login, no such database, read-only (a standby), ended
# for its length, rolled back (deadlock), no right to a table, no such schema, table or column, out of resources, lock not to be
# had, ended or refused by the operator (also: starting up), system error, tables that changed meanwhile, wrong configuration,
# damage.
_PASSING = ("08", "28", "3D", "25006", "25P03", "25P04", "40", "42501", "3F", "42P01", "42703", "53", "55", "57", "58", "0A",
            "F0", "XX001", "XX002")  # fmt: skip
_LOGIN = ("28", "3D")  # whose words name users and databases


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in and out on every database; SQLite keeps no time zone, so it is put back when reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone cannot be stored: {value}")
        try:
            return value.astimezone(UTC)
        except OverflowError:  # on the first or the last day of the calendar, which it is not yet or no more in UTC
            return (datetime.min if value.year == 1 else datetime.max).replace(tzinfo=UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """One engine and its transactions. Nothing connects before the first use."""

    def __init__(self, url: str, *, setting: str = "") -> None:
        """`engine` is for what others wait for, `patient` for what may take long.

        Raises SettingsError, naming the variable `setting`, when `url` is not a SQLite or PostgreSQL URL, or says of TLS what
        cannot be."""
        self.url, tls = tls_of(parse_url(url, setting=setting), setting)
        self.engine: AsyncEngine = _engine(self.url, tls)
        self._writer = self.engine.execution_options(begin="IMMEDIATE")
        self.patient = self.engine if _is_sqlite(self.url) else _patient_engine(self.url, tls)
        self._views = {long: _with_views(self.patient if long else self.engine) for long in (False, True)}
        self._writers = asyncio.Lock() if _is_sqlite(self.url) else None

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """One transaction that writes. Commits when the block ends, rolls back when it raises.

        Raises StoreError when the database cannot be reached, is locked or wants it tried again; other errors of SQL
        pass as they are.
        """
        with _reachable(self.url):
            async with self._turn():
                session = AsyncSession(self._writer, expire_on_commit=False)
                try:
                    yield session
                    await _whole(session.commit())
                except BaseException:
                    # what went wrong first is told, above all a cancel
                    with contextlib.suppress(SQLAlchemyError, OSError):
                        await _whole(session.rollback())
                    raise
                finally:
                    await _whole(session.close())

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One writer of this process after the other where there can be but one: SQLite makes who waits sleep, longer each time
        and in no order, so that a writer may pass by many times while another sleeps.
        """
        if self._writers is None:
            yield
            return
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_MS / 1000):
                await self._writers.acquire()
        except TimeoutError:
            raise StoreError(
                f"database {shown(self.url)}: database is locked", "the database says: database is locked"
            ) from None
        try:
            yield
        finally:
            self._writers.release()

    @asynccontextmanager
    async def reading(self, *, long: bool = False) -> AsyncIterator[AsyncSession]:
        """A consistent view that writes nothing: all its statements see the database as of the first one. Raises StoreError like
        `unit_of_work`.

        `long`: statements that may take minutes; all others are given up after seconds, however the server is.
        """
        with _reachable(self.url):
            session = AsyncSession(self._views[long], expire_on_commit=False)
            try:
                yield session
            finally:
                await _whole(session.close())

    async def ping(self) -> None:
        """Raises StoreError when the database does not answer."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()
        await self.patient.dispose()


async def _whole(ending: Coroutine[Any, Any, None]) -> None:
    """Wait for the end of a transaction also when cancelled meanwhile, and be cancelled then.

    An end that is cut short leaves a connection behind that holds SQLite's lock for as long as the process lives.
    """
    task = asyncio.ensure_future(ending)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # who is cancelled hears of nothing else
        raise cancelled
    await task


async def ends_of(session: AsyncSession, rows: Select[Any], order: Sequence[Any], most: int | None) -> list[Any]:
    """Rows of one table in `order`, columns of which no two rows have the same values. None: all; else the newest `most`, and
    before them a quarter as many of the oldest.
    """
    newest = (await session.scalars(rows.order_by(*(column.desc() for column in order)).limit(most))).all()
    if most is None or len(newest) < most:
        return list(reversed(newest))
    oldest = (await session.scalars(rows.order_by(*order).limit(most // 4))).all()
    known = {id(row) for row in oldest}  # a session has each row once
    return [*oldest, *(row for row in reversed(newest) if id(row) not in known)]


def portions(found: Sequence[T], size: int = 5000) -> Iterator[Sequence[T]]:
    """As many at a time as one statement may name: PostgreSQL takes 32 767 values, SQLite 32 766."""
    return (found[start : start + size] for start in range(0, len(found), size))


def insert_into(session: AsyncSession, table: Any) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`, whichever database it is."""
    dialect = session.get_bind().dialect.name
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def parse_url(url: str, *, setting: str = "") -> URL:
    """`url` with the asyncio driver of its database; `postgresql://...` and `sqlite:///...` are enough.

    Raises SettingsError, which does not repeat it: it may hold a password.
    """
    begin = f"{setting}: " if setting else ""
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        expected = "sqlite:///alerts.db or postgresql://USER:PASSWORD@HOST/NAME"
        raise SettingsError(f"{begin}not a database URL, expected such as {expected}") from exc
    backend = parsed.get_backend_name()
    if backend not in DRIVERS:
        instead = "use sqlite:///FILE or postgresql://USER@HOST/NAME"
        raise SettingsError(f"{begin}database {backend!r} is not supported, {instead}")
    return parsed.set(drivername=DRIVERS[backend])


def shown(url: URL) -> str:
    """`url` without its password, for messages."""
    return url.render_as_string(hide_password=True)


@asynccontextmanager
async def migrating(database: Database) -> AsyncIterator[Any]:
    """A connection in a transaction of its own, for the migrations runner (`shared.migrate`). What changes tables may take long,
    and waits for as long as another replica does so."""
    with _reachable(database.url):
        async with database.patient.execution_options(begin="IMMEDIATE").begin() as connection:
            if not _is_sqlite(database.url):
                await connection.execute(text("SET LOCAL lock_timeout = 0"))
            yield connection


def _engine(url: URL, tls: Mapping[str, Any]) -> AsyncEngine:
    if _is_sqlite(url):
        in_file = url.database not in (None, "", ":memory:")
        if in_file:
            with contextlib.suppress(OSError):  # then connecting fails, and says so
                Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        pool = {"pool_timeout": POOL_TIMEOUT_S} if in_file else {}  # in memory there is one connection for all
        engine = create_async_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, **pool)
        event.listen(engine.sync_engine, "connect", _on_sqlite_connect)
        event.listen(engine.sync_engine, "begin", _on_sqlite_begin)
        event.listen(engine.sync_engine, "invalidate", _on_sqlite_invalidate)
        return engine
    return _postgres_engine(url, tls, ANSWER_TIMEOUT_S, pool_timeout=POOL_TIMEOUT_S)


def _patient_engine(url: URL, tls: Mapping[str, Any]) -> AsyncEngine:
    """For what takes long and comes seldom: each time a connection of its own."""
    return _postgres_engine(url, tls, LONG_TIMEOUT_S, poolclass=NullPool)


def _with_views(engine: AsyncEngine) -> AsyncEngine:
    """SQLite's transactions are views; PostgreSQL's first statement would see what its second does not."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _postgres_engine(url: URL, tls: Mapping[str, Any], answer_s: float, **pool: Any) -> AsyncEngine:
    """A server that hangs, or a host that is cut off, ends no connection: whoever waits for it gives up by himself."""
    waits = {"timeout": CONNECT_TIMEOUT_S, "command_timeout": answer_s}
    engine = create_async_engine(url, connect_args={**waits, **tls}, **pool)
    dbsessions.watch(engine.sync_engine, lock_ms=BUSY_TIMEOUT_MS, idle_s=2 * answer_s)
    return engine


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver opens no transactions of its own; `_on_sqlite_begin` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")  # with WAL a power cut may lose the last commits, never corrupt
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.close()


def _on_sqlite_invalidate(connection: Any, _record: Any, _exc: Any) -> None:
    """A statement was cancelled. What is closed while a cursor still reads holds the lock until that is collected."""
    with contextlib.suppress(Exception):
        connection.rollback()


def _on_sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")


class _reachable:  # noqa: N801  (a context manager, used like a function)
    """Turns what a driver raises when the database is away into StoreError."""

    def __init__(self, url: URL) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, exc: BaseException | None, trace: Any) -> None:
        if exc is not None and _is_outage(exc):
            raise StoreError(f"database {shown(self._url)}: {_cause(exc)}", _told(exc)) from exc


def _is_outage(exc: BaseException) -> bool:
    if _state(exc).startswith(_PASSING):
        return True
    if isinstance(exc, DBAPIError):
        damaged = type(exc) is DatabaseError  # SQLite's word for a file that is none, or is malformed
        return exc.connection_invalidated or damaged or isinstance(exc, OperationalError | InterfaceError)
    if isinstance(exc, NoConnectionFree):
        return True
    return isinstance(exc, OSError | TimeoutError) and not isinstance(exc, SQLAlchemyError)


def _state(exc: BaseException) -> str:
    """PostgreSQL's SQLSTATE; "" where there is none. What is refused while connecting comes as the driver raised it."""
    return str(getattr(getattr(exc, "orig", None) or exc, "sqlstate", None) or "")


def _told(exc: BaseException) -> str:
    """The cause for whoever does not know our hosts, users and files."""
    if isinstance(exc, NoConnectionFree):
        return "the database has too much to do"
    if _state(exc).startswith(_LOGIN):
        return "the database does not let this service in"
    if isinstance(exc, OSError | TimeoutError):
        return "the database does not answer"
    return f"the database says: {_cause(exc)}"


def _cause(exc: BaseException) -> str:
    if isinstance(exc, ssl.SSLError):
        return why_not(exc)
    first = str(getattr(exc, "orig", None) or exc).strip().splitlines()
    return first[0] if first else type(exc).__name__
