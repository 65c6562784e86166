"""Rows of the monitor's database about listening: who hears what, which forks there are, and the chained audit of it.

All times are our clock. The columns of `listens` and `listen_forks` are the fields of `model.Listen` and `model.Fork`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Double, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from services.monitor.desk.tables import METADATA, Base
from shared.tables import text_column, time_column

__all__ = ["METADATA", "AuditRow", "ForkRow", "HeardRow", "ListenRow", "OutboxRow"]


def _count() -> int:
    found: int = Field(default=0, sa_type=BigInteger)
    return found


def _seconds() -> float:
    found: float = Field(default=0.0, sa_type=Double)
    return found


class ListenRow(Base, table=True):
    """One person's listen, from the asking to the end. Kept for ever."""

    __tablename__ = "listens"
    __table_args__ = (
        UniqueConstraint("listen_id"),
        Index("ix_listens_agent", "site", "agent_id", "id"),
        Index("ix_listens_user", "user", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    listen_id: str = text_column()
    version: int
    site: str = text_column()
    user: str = text_column()
    user_name: str = text_column()
    token_issued: datetime | None = time_column(default=None)
    token_expires: datetime | None = time_column(default=None)
    token_facts: dict[str, Any] | None = Field(default=None, sa_type=JSON, nullable=True)
    follow: str = text_column()
    call_id: str = text_column()
    agent_id: str = text_column()
    agent_name: str = text_column()
    purpose: str = text_column()
    comment: str = text_column()
    mode: str = text_column()
    state: str = text_column()
    reason: str = text_column()
    detail: str = text_column()
    fork_id: str = text_column()
    speak_fork_id: str = text_column()
    muted: str = text_column()
    tell_agent: str = text_column()
    told_at: datetime | None = time_column(default=None)
    started_at: datetime = time_column(index=True)
    until: datetime = time_column()
    leased_until: datetime = time_column()
    live_at: datetime | None = time_column(default=None)
    ended_at: datetime | None = time_column(default=None)
    connected: bool = False
    ever_connected: bool = False
    relay: str = text_column(default="")
    run: str = text_column(default="")
    alone_since: datetime | None = time_column(default=None)
    failures: int = 0
    retry_at: datetime | None = time_column(default=None)
    counted: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)
    open: bool = Field(default=True, index=True)  # not ended, or what was heard is not written down yet
    seen_at: datetime | None = time_column(default=None)


class ForkRow(Base, table=True):
    """One copy of a call's sound. No two open ones have the same target, whichever replica orders them."""

    __tablename__ = "listen_forks"
    __table_args__ = (UniqueConstraint("open_target"),)

    fork_id: str = Field(sa_type=Text, primary_key=True)
    site: str = text_column()
    target: str = text_column()
    open_target: str | None = text_column(default=None)  # the target with its site while it is open
    call_id: str = text_column()
    leg_id: str = text_column()
    agent_id: str = text_column()
    side: str = text_column()
    audio: str = text_column()
    speaks: bool
    owner: str = text_column()
    mode: str = text_column()
    state: str = text_column()
    ordered_at: datetime = time_column(index=True)
    up_at: datetime | None = time_column(default=None)
    ended_at: datetime | None = time_column(default=None)
    relay: str = text_column(default="")
    run: str = text_column(default="")
    how: str = text_column(default="")
    detail: str = text_column(default="")
    asked: str = text_column(default="", sa_column_kwargs={"server_default": ""})
    asked_at: datetime | None = time_column(default=None)


class HeardRow(Base, table=True):
    """What of one agent in one call somebody was sent: coverage is counted from these."""

    __tablename__ = "listen_heard"
    __table_args__ = (
        Index("ix_listen_heard_call", "site", "call_id"),
        Index("ix_listen_heard_from", "site", "from_at"),
    )

    listen_id: str = Field(sa_type=Text, primary_key=True)
    fork_id: str = Field(sa_type=Text, primary_key=True)
    call_id: str = Field(sa_type=Text, primary_key=True)
    agent_id: str = Field(sa_type=Text, primary_key=True)
    site: str = text_column()
    user: str = text_column()
    purpose: str = text_column()
    bytes: int = _count()
    seconds: float = _seconds()
    discarded: int = _count()
    from_at: datetime = time_column()
    to_at: datetime = time_column()


class OutboxRow(Base, table=True):
    """A message that belongs to a change of the rows above, until the broker has it."""

    __tablename__ = "listen_outbox"

    id: int | None = Field(default=None, primary_key=True)
    topic: str = text_column()
    key: str = text_column()
    value: bytes = Field(sa_type=LargeBinary)
    made_at: datetime = time_column()


class AuditRow(Base, table=True):
    """One link of the chain (chain.py). The database itself refuses to change or delete these rows."""

    __tablename__ = "listen_audit"
    __table_args__ = (
        UniqueConstraint("prev_hash"),
        Index("ix_listen_audit_listen", "listen_id", "id"),
        Index("ix_listen_audit_site", "site", "id"),
    )

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = time_column()
    site: str = text_column()
    kind: str = text_column()
    listen_id: str = text_column()
    by: str = text_column()
    by_name: str = text_column()
    agent_id: str = text_column()
    agent_name: str = text_column()
    call_id: str = text_column()
    purpose: str = text_column()
    mode: str = text_column()
    detail: str = text_column()
    prev_hash: str = text_column()
    hash: str = text_column()
