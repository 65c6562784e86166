"""Rows of what the monitor publishes on `floor.records`, for reports. Times are the switch's clock, `recorded_at` the broker's.

Durations are whole microseconds, all that they had: so sums are exact, whatever they are added in. What reports ask for often is
kept by days of the site as well, in the transaction that writes the rows: a year of a large floor is millions of these.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Date, Index, Text
from sqlmodel import Field

from services.alerts.tables import Base
from shared.db import UtcDateTime
from shared.tables import text_column, time_column

_BY_KEY: Final = {"sqlite_with_rowid": False}  # the rows lie in the order of their key, which is then no second copy


def _key(kind: Any = Text) -> Any:
    return Field(sa_type=kind, primary_key=True)


def _micros(**options: Any) -> Any:
    return Field(sa_type=BigInteger, **options)


class AgentIntervalRow(Base, table=True):
    """An agent in one displayed state. `origin`: real, simulated or replay, as in all these tables.

    `interval_id` is made of site, agent and beginning: of a key of three columns SQLite finds many at a time by reading all rows.
    """

    __tablename__ = "agent_intervals"
    __table_args__ = (_BY_KEY,)

    interval_id: str = _key()
    site: str = text_column()
    agent_id: str = text_column()
    started_at: datetime = time_column()
    ended_at: datetime = time_column()
    state: str = text_column()
    reason: str = text_column()
    provenance: str = text_column()
    queue: str = text_column()
    call_id: str = text_column()
    origin: str = text_column()
    recorded_at: datetime = time_column(index=True)


class CallRow(Base, table=True):
    """A visit of a call to a queue, or a call that never queued. `record_id` is the id of its record."""

    __tablename__ = "call_records"
    __table_args__ = (Index("ix_call_records_site_call_id", "site", "call_id"),)

    record_id: str = _key()
    site: str = text_column()
    call_id: str = text_column()
    direction: str = text_column()
    queue: str = text_column()
    outcome: str = text_column()
    agent_id: str = text_column()
    from_number: str = text_column()  # masked
    started_at: datetime = time_column()
    answered_at: datetime | None = time_column(default=None)
    ended_at: datetime = time_column()
    waited_us: int = _micros()
    talk_us: int | None = _micros(default=None)
    hold_us: int | None = _micros(default=None)
    origin: str = text_column()
    recorded_at: datetime = time_column(index=True)


class TransferRow(Base, table=True):
    """A finished transfer: the last that was said of it."""

    __tablename__ = "transfer_records"
    __table_args__ = (Index("ix_transfer_records_site_ended_at", "site", "ended_at"),)

    site: str = _key()
    transfer_id: str = _key()
    call_id: str = text_column()
    kind: str = text_column()
    from_agent: str = text_column()
    to_agent: str = text_column()
    to_queue: str = text_column()
    to_number: str = text_column()  # masked
    requested_at: datetime = time_column()
    ringing_at: datetime | None = time_column(default=None)
    answered_at: datetime | None = time_column(default=None)
    bridged_at: datetime | None = time_column(default=None)
    released_at: datetime | None = time_column(default=None)
    ended_at: datetime = time_column()
    seek_us: int | None = _micros(default=None)
    ring_us: int | None = _micros(default=None)
    brief_us: int | None = _micros(default=None)
    customer_gap_us: int | None = _micros(default=None)
    total_us: int | None = _micros(default=None)
    outcome: str = text_column()
    reason: str = text_column()
    precision_ms: int
    slow: str | None = text_column(default=None)  # yes, no, cannot_tell; none: nobody judged it
    origin: str = text_column()
    recorded_at: datetime = time_column(index=True)


class QueueIntervalRow(Base, table=True):
    """A queue's figures of one interval of the site's day; fields as in `shared.facts.QueueInterval`.

    A quarter of an hour may have several: where the clock was set, or a threshold was changed in it.
    """

    __tablename__ = "queue_intervals"
    __table_args__ = (Index("ix_queue_intervals_site_started_at", "site", "started_at"), _BY_KEY)

    site: str = _key()
    queue: str = _key()
    counted_from: datetime = _key(UtcDateTime)
    ended_at: datetime = _key(UtcDateTime)
    started_at: datetime = time_column()
    hour: int  # of the site's day, 0 to 23
    partial: bool  # counted from later than its beginning, or ended early
    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    other_ended: int
    answered_within: int
    abandoned_within: int
    handled: int
    transfers: int
    wait_answered_us: int = _micros()
    wait_abandoned_us: int = _micros()
    longest_waited_us: int | None = _micros(default=None)
    talk_us: int = _micros()
    hold_us: int = _micros()
    wrap_us: int = _micros()
    handling_us: int = _micros()
    ready_us: int = _micros()
    within_us: int = _micros()
    short_abandon_us: int = _micros()
    origin: str = text_column()
    recorded_at: datetime = time_column()


class AgentDayRow(Base, table=True):
    """The intervals of an agent's day at the site in one state, cut at midnight. `reason` is that of a break, else ""."""

    __tablename__ = "agent_days"
    __table_args__ = (_BY_KEY,)

    site: str = _key()
    day: date = _key(Date)
    agent_id: str = _key()
    state: str = _key()
    reason: str = _key()
    pieces: int
    lasted_us: int = _micros()
    stale_us: int = _micros()
    first_at: datetime = time_column()
    last_at: datetime = time_column()
    recorded_at: datetime = time_column()


class CallDayRow(Base, table=True):
    """Calls that ended on a day of the site."""

    __tablename__ = "call_days"
    __table_args__ = (_BY_KEY,)

    site: str = _key()
    day: date = _key(Date)
    agent_id: str = _key()
    queue: str = _key()
    direction: str = _key()
    outcome: str = _key()
    calls: int
    waited_us: int = _micros()
    talk_us: int = _micros()
    hold_us: int = _micros()
    recorded_at: datetime = time_column()


class OriginDayRow(Base, table=True):
    """That a day has records of a real switch, made up ones, or ones played back."""

    __tablename__ = "record_days"
    __table_args__ = (_BY_KEY,)

    site: str = _key()
    day: date = _key(Date)
    origin: str = _key()
    recorded_at: datetime = time_column()


class SlotRow(Base, table=True):
    """A quarter of an hour (of UTC) of which something is recorded."""

    __tablename__ = "recorded_quarters"
    __table_args__ = (_BY_KEY,)

    site: str = _key()
    started_at: datetime = _key(UtcDateTime)
    recorded_at: datetime = time_column()


class SiteRow(Base, table=True):
    """How far a site's records were read: the highest position in the log of raw records, and the newest time."""

    __tablename__ = "recorded_sites"

    site: str = _key()
    raw_partition: int
    raw_offset: int = _micros()
    raw_index: int
    until: datetime = time_column()
