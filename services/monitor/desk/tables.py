"""Rows of the monitor's database: finished transfers and calls, cases, preferences, actions and who saw which number.

Times that `shared.facts` calls the switch's are the switch's here too (`requested`, `started`, ...); those that end in `_at`
are our clock. No row has a caller's number in full. The board needs none of these tables.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Double, Index, MetaData, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from shared.tables import NAMES, text_column, time_column


class Base(SQLModel):
    """Tables of this service alone, with constraint names that are the same on every database."""

    metadata = MetaData(naming_convention=NAMES)


def _seconds() -> Any:
    return Field(default=None, sa_type=Double)


class TransferRow(Base, table=True):
    """A finished transfer, as its last record says. `raw_*`: that record's position, so that none before it is put back."""

    __tablename__ = "transfers"
    __table_args__ = (
        UniqueConstraint("site", "transfer_id"),
        Index("ix_transfers_newest", "requested", "id"),
        Index("ix_transfers_worst", "tier", "took_us", "id"),
        Index("ix_transfers_call", "site", "call_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    site: str = text_column()
    transfer_id: str = text_column()
    call_id: str = text_column()
    kind: str = text_column()
    from_agent: str = text_column()
    from_name: str = text_column(default="")  # these four as they were when it was recorded; "": not known
    from_team: str = text_column(default="")
    to_agent: str = text_column()
    to_name: str = text_column(default="")
    to_team: str = text_column(default="")
    to_queue: str = text_column()
    to_number: str = text_column()  # masked
    requested: datetime = time_column()
    ringing: datetime | None = time_column(default=None)
    answered: datetime | None = time_column(default=None)
    bridged: datetime | None = time_column(default=None)
    released: datetime | None = time_column(default=None)
    ended: datetime = time_column()
    seek_s: float | None = _seconds()
    ring_s: float | None = _seconds()
    brief_s: float | None = _seconds()
    customer_gap_s: float | None = _seconds()
    total_s: float | None = _seconds()
    outcome: str = text_column()
    reason: str = text_column(default="")
    precision_ms: int = 0
    slow: str = text_column()
    tier: int = 0  # how bad it was (desk/judging.py), then by how long it took
    took_us: int = Field(default=0, sa_type=BigInteger)  # from the request to the end, microseconds
    raw_partition: int = -1
    raw_offset: int = Field(default=-1, sa_type=BigInteger)
    raw_index: int = 0
    recorded_at: datetime = time_column(index=True)  # by the broker's stamp: what retention goes by


class CallRow(Base, table=True):
    """A visit of a call to a queue, or a call that never queued, when it is over."""

    __tablename__ = "calls"
    __table_args__ = (
        UniqueConstraint("fact_id"),
        Index("ix_calls_agent", "site", "agent_id", "ended", "id"),
        Index("ix_calls_call", "site", "call_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    fact_id: str = text_column()
    site: str = text_column()
    call_id: str = text_column()
    direction: str = text_column()
    queue: str = text_column()
    outcome: str = text_column()
    agent_id: str = text_column()
    from_number: str = text_column()  # masked
    started: datetime = time_column()
    answered: datetime | None = time_column(default=None)
    ended: datetime = time_column()
    waited_s: float = Field(sa_type=Double)
    talk_s: float | None = _seconds()
    hold_s: float | None = _seconds()
    raw_partition: int = -1
    raw_offset: int = Field(default=-1, sa_type=BigInteger)
    raw_index: int = 0
    recorded_at: datetime = time_column(index=True)


class PositionRow(Base, table=True):
    """How far a partition was consumed, written in the transaction that holds the result (shared/intake.py)."""

    __tablename__ = "positions"

    topic: str = Field(sa_type=Text, primary_key=True)
    partition: int = Field(primary_key=True)
    next_offset: int = Field(default=0, sa_type=BigInteger)
    last_record: str = text_column(default="")
    updated_at: datetime = time_column()


class CaseRow(Base, table=True):
    """What somebody found out about a transfer, running ones included. `version` counts its changes from 1."""

    __tablename__ = "cases"
    __table_args__ = (UniqueConstraint("site", "transfer_id"),)

    id: int | None = Field(default=None, primary_key=True)
    site: str = text_column()
    transfer_id: str = text_column()
    version: int
    status: str = text_column()
    reason: str = text_column()
    note: str = text_column()
    follow_up: str = text_column()
    follow_up_on: date | None = None
    opened_at: datetime = time_column()
    opened_by: str = text_column()
    changed_at: datetime = time_column(index=True)
    changed_by: str = text_column()


class CaseChangeRow(Base, table=True):
    """One change of a case. Rows are only ever added."""

    __tablename__ = "case_changes"
    __table_args__ = (UniqueConstraint("case_id", "version"),)  # two writers cannot both make the same step

    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    version: int
    at: datetime = time_column()
    by: str = text_column()
    by_name: str = text_column()
    changes: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)  # field -> [before, after]


class PreferenceRow(Base, table=True):
    """What a user chose for the pages. `value` is JSON."""

    __tablename__ = "preferences"

    user: str = Field(sa_type=Text, primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    value: str = text_column()
    changed_at: datetime = time_column()


class ActionRow(Base, table=True):
    """Something that somebody did about the floor, with the figures before and five minutes later."""

    __tablename__ = "actions"
    __table_args__ = (
        Index("ix_actions_site_id", "site", "id"),
        Index("ix_actions_effect_due", "effect", "effect_due_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    site: str = text_column()
    kind: str = text_column()
    queue: str = text_column()
    agents: list[str] = Field(default_factory=list, sa_type=JSON, nullable=False)
    call_id: str = text_column()
    transfer_id: str = text_column()
    text_en: str = text_column()
    text_zh: str = text_column()
    done_at: datetime = time_column(index=True)
    by: str = text_column()
    by_name: str = text_column()
    before: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)
    effect: str = text_column(default="")  # "": not yet; measured; no_data
    effect_due_at: datetime = time_column()
    effect_at: datetime | None = time_column(default=None)
    after: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)  # {}: not yet


class RevealRow(Base, table=True):
    """Somebody saw the numbers of a call. The database itself refuses to change or delete these rows."""

    __tablename__ = "number_reveals"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = time_column(index=True)
    by: str = text_column()
    by_name: str = text_column()
    site: str = text_column()
    call_id: str = text_column()
    transfer_id: str = text_column()
    purpose: str = text_column()
    from_number: str = text_column()  # masked, as the board showed them
    to_number: str = text_column()


METADATA = Base.metadata
