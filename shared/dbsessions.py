"""Sessions on a PostgreSQL server: what bounds them there, and the end of those whose connection we gave up.

A server hears nothing of a client that is cut off. Where that one was between two statements, the server's
`idle_in_transaction_session_timeout` ends its session; between the two halves of one (the driver asks what a statement returns
before it says with which values) the server counts it as at work, and no timeout of PostgreSQL before 17 ends it: its locks would
stay until the system gives the connection up, in some hours. So whoever gave a connection up ends its session, with the next
connection that it gets.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

import structlog
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import InvalidatePoolError

log = structlog.get_logger(__name__)

_KEEPALIVE: Final = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}  # s, s, times
_MOST_LOST: Final = 100  # names that are remembered; a pool has fifteen connections
_NAME: Final = "floorwatch_session"
_FRESH: Final = "floorwatch_fresh"
_END: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name IN ({names}) AND usename = current_user AND pid <> pg_backend_pid()"
)


def watch(engine: Engine, *, lock_ms: int, idle_s: float) -> None:
    """Have each session of `engine` named and bounded: `lock_ms` of waiting for a lock, `idle_s` idle in a transaction.

    Whoever takes a connection from the pool gets one on which the server answers, as far as it answers at all: SQLAlchemy's own
    ping passes an answer that does not come on to whoever asked, once for each connection in the pool.
    """
    sessions = _Sessions(engine, lock_ms, idle_s)
    event.listen(engine, "connect", sessions.begins)
    event.listen(engine, "checkout", sessions.is_wanted)
    event.listen(engine, "invalidate", sessions.is_lost)


class _Sessions:
    def __init__(self, engine: Engine, lock_ms: int, idle_s: float) -> None:
        self._dialect = engine.dialect
        self._lock_ms = lock_ms
        self._idle_ms = int(idle_s * 1000)
        self._lost: dict[str, None] = {}  # in this order

    def begins(self, connection: Any, record: Any) -> None:
        name = f"floorwatch {uuid.uuid4().hex[:16]}"
        settings = {
            "application_name": name,
            "lock_timeout": self._lock_ms,
            "idle_in_transaction_session_timeout": self._idle_ms,
            **_KEEPALIVE,
        }
        _run(
            connection,
            "SELECT " + ", ".join(f"set_config('{key}', '{value}', false)" for key, value in settings.items()),
        )
        record.info.update({_NAME: name, _FRESH: True})
        self._end(connection, tuple(self._lost))

    def _end(self, connection: Any, lost: tuple[str, ...]) -> None:
        if not lost:
            return
        try:
            _run(connection, _END.format(names=", ".join(f"'{one}'" for one in lost)))
        except self._dialect.loaded_dbapi.Error as exc:
            connection.rollback()
            log.warning("lost sessions could not be ended; the server keeps what they have locked", reason=str(exc))
        for one in lost:
            self._lost.pop(one, None)

    def is_wanted(self, connection: Any, record: Any, _fairy: Any) -> None:
        if record.info.pop(_FRESH, False):
            return
        try:
            self._dialect.do_ping(connection)
        except (OSError, self._dialect.loaded_dbapi.Error) as exc:
            raise InvalidatePoolError from exc

    def is_lost(self, _connection: Any, record: Any, _exc: BaseException | None) -> None:
        if (name := record.info.get(_NAME)) is not None:
            self._lost[name] = None
        while len(self._lost) > _MOST_LOST:
            del self._lost[next(iter(self._lost))]


def _run(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()
    connection.commit()  # what is rolled back was never set
