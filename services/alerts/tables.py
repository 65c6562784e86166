"""Rows of the alerts database. They are storage, not the domain: `core/incident.py` knows nothing of them.

Times named `started`, `raised`, `ended`, `cleared` and `switch_time` are the switch's clock, all others the wall clock.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, MetaData, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from shared.tables import NAMES, text_column, time_column


class Base(SQLModel):
    """Tables of this service alone, with constraint names that are the same on every database."""

    metadata = MetaData(naming_convention=NAMES)


def _json() -> Any:
    return Field(default_factory=dict, sa_type=JSON, nullable=False)


def waiting_index(table: str) -> Index:
    """What waits in each lane, which is little beside what was sent once."""
    waits = text("due_at IS NOT NULL")
    columns = ("receiver", "channel_key", "due_at")
    return Index(f"ix_{table}_waiting", *columns, sqlite_where=waits, postgresql_where=waits)


class PlanRow(Base, table=True):
    """A plan that incidents have; rows are only ever added. `key` is a hash of the plan, so equal ones are one row."""

    __tablename__ = "plans"

    key: str = Field(sa_type=Text, primary_key=True)
    plan: dict[str, Any] = _json()


class IncidentRow(Base, table=True):
    """An incident as it stands; its history is in `incident_events`."""

    __tablename__ = "incidents"
    __table_args__ = (
        # at most one unresolved incident of a group, whatever two replicas think
        Index(
            "uq_incidents_unresolved_group",
            "group_key",
            unique=True,
            sqlite_where=text("state <> 'resolved'"),
            postgresql_where=text("state <> 'resolved'"),
        ),
        Index("ix_incidents_group_key_id", "group_key", "id"),
        Index("ix_incidents_state_id", "state", "id"),
        Index("ix_incidents_urgency", "urgency", "id", "state", "words"),  # a search looks at nothing else
        Index("ix_incidents_site_urgency", "site", "urgency", "id"),
        Index("ix_incidents_rule_urgency", "rule", "urgency", "id"),
        Index("ix_incidents_owner_urgency", "owner", "urgency", "id"),
        Index("ix_incidents_opened_at", "opened_at", "state"),
        Index("ix_incidents_holds", "rule", sqlite_where=text("holds"), postgresql_where=text("holds")),
    )

    id: int | None = Field(default=None, primary_key=True)
    opened_by: str = text_column(unique=True)
    group_key: str = text_column()
    site: str = text_column()
    rule: str = text_column()
    subject: str = text_column()
    subject_id: str = text_column()
    severity: str = text_column()
    state: str = text_column()
    simulated: bool = False
    replay: bool = False  # of a recording played back
    summary_en: str = text_column()
    summary_zh: str = text_column()
    labels: dict[str, Any] = _json()
    started: datetime = time_column()
    ended: datetime | None = time_column(default=None)
    opened_at: datetime = time_column()
    open_since: datetime = time_column()
    changed_at: datetime = time_column(index=True)
    quiet_since: datetime | None = time_column(default=None)
    flags: int = 1
    openings: int = 1
    entries: int = 0
    owner: str = text_column(default="")
    acknowledged_at: datetime | None = time_column(default=None)
    resolver: str = text_column(default="")
    resolved_at: datetime | None = time_column(default=None)
    cause: str = text_column(default="")
    recheck_on: date | None = None
    recheck_at: datetime | None = time_column(default=None)
    plan_key: str = text_column()  # of `plans`
    telling: dict[str, Any] = _json()
    facets: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON, nullable=False)
    mixed: bool = False  # whether there are facets: not everybody who sees it may see all of its flags
    held: str = text_column(default="")
    holds: bool = False  # whether any of its flags is active
    urgency: int = Field(default=0, sa_type=BigInteger)  # `core.urgency`
    words: str = text_column(default="")  # what a search looks into, in small letters
    next_at: datetime | None = time_column(default=None, index=True)  # when something may be due; none: never


class EventRow(Base, table=True):
    """One line of an incident's history. Rows are only ever added; `published`: on the topic `incidents`."""

    __tablename__ = "incident_events"
    __table_args__ = (
        UniqueConstraint("incident_id", "seq"),  # two writers cannot both make the same step
        Index(
            "ix_incident_events_waiting",
            "id",
            sqlite_where=text("published = 0"),
            postgresql_where=text("NOT published"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id")
    seq: int
    at: datetime = time_column()
    kind: str = text_column()
    by: str = text_column()
    note: str = text_column(default="")
    flag_id: str = text_column(default="")
    switch_time: datetime | None = time_column(default=None)
    data: dict[str, Any] = _json()
    published: bool = False


class FlagRow(Base, table=True):
    """A flag: the evidence of its incident, and the memory that it was seen."""

    __tablename__ = "flags"
    __table_args__ = (
        Index("ix_flags_site_raised", "site", "raised"),
        Index(
            "ix_flags_active",
            "rule",
            "flag_id",
            sqlite_where=text("status = 'active'"),
            postgresql_where=text("status = 'active'"),
        ),
    )

    flag_id: str = Field(sa_type=Text, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id", index=True)
    site: str = text_column()
    rule: str = text_column()
    severity: str = text_column()
    subject: str = text_column()
    subject_id: str = text_column()
    started: datetime = time_column()
    raised: datetime = time_column()
    received_at: datetime = time_column()
    summary_en: str = text_column()
    summary_zh: str = text_column()
    labels: dict[str, Any] = _json()
    evidence: dict[str, Any] = _json()
    simulated: bool = False
    replay: bool = False  # of a recording played back
    status: str = text_column(default="active")  # active, cleared, or unheard: over, and nobody said so
    cleared: datetime | None = time_column(default=None)
    duration_s: float | None = None
    cleared_evidence: dict[str, Any] = _json()
    trace: str = text_column(default="")  # what it goes back to: `shared.tracing`


class NotificationRow(Base, table=True):
    """One notification to one channel of a receiver: the outbox. Written with its telling, sent after the commit.

    `state`: waiting, sent, failed (attempts used up), withheld (no longer worth sending), no_channel. From the first attempt on
    it is part of a message (`services.alerts.reach.tables`), whose attempts are its own.
    """

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("incident_id", "telling", "channel_key"),  # once, whatever two instances think
        waiting_index("notices"),
    )

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incidents.id")
    telling: int  # which of the incident's tellings it is
    reason: str = text_column()
    receiver: str = text_column()
    channel_key: str = text_column()  # hash of the channel's URL: no secret is stored
    channel: str = text_column()  # for people, without secrets
    instead_of: str = text_column(default="")  # the receiver that could not be reached
    state: str = text_column()
    created_at: datetime = time_column()
    due_at: datetime | None = time_column(
        default=None, index=True
    )  # from when on a message may carry it; none: one does
    finished_at: datetime | None = time_column(default=None)
    late_s: float = 0.0  # between the flag's publication and our reading it
    answer: str = text_column(default="")
    message_id: int | None = Field(default=None, index=True)


class PositionRow(Base, table=True):
    """How far a partition was consumed, written in the transaction that holds the result.

    `last_record` is a fingerprint of the record before `next_offset`: when the broker's log is not the one that we
    read (a new broker in the place of an old one), offsets mean nothing and reading starts anew.
    """

    __tablename__ = "positions"

    topic: str = Field(sa_type=Text, primary_key=True)
    partition: int = Field(primary_key=True)
    next_offset: int = Field(default=0, sa_type=BigInteger)
    last_record: str = text_column(default="")
    updated_at: datetime = time_column()


METADATA = Base.metadata
