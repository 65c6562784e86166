"""Rows of inspectors' work: who means to hear a call, and what they noted while they heard it. Times in `_at` are our clock."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Double, Index, Text
from sqlmodel import Field

from services.monitor.desk.tables import Base
from services.monitor.listen.tables import METADATA
from shared.tables import text_column, time_column

__all__ = ["METADATA", "ClaimRow", "NoteRow"]


class ClaimRow(Base, table=True):
    """Somebody took a call in order to hear it. One row a call, so that the database decides who was first."""

    __tablename__ = "listen_claims"

    site: str = Field(sa_type=Text, primary_key=True)
    call_id: str = Field(sa_type=Text, primary_key=True)
    user: str = text_column()
    user_name: str = text_column()
    claimed_at: datetime = time_column(index=True)


class NoteRow(Base, table=True):
    """What somebody wrote about a moment that they heard. Rows are only ever added."""

    __tablename__ = "listen_notes"
    __table_args__ = (
        Index("ix_listen_notes_listen", "listen_id", "id"),
        Index("ix_listen_notes_call", "site", "call_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    listen_id: str = text_column()
    site: str = text_column()
    call_id: str = text_column()
    agent_id: str = text_column()
    at_s: float = Field(sa_type=Double)  # seconds into the listen
    said_at: datetime = time_column()  # that moment
    text: str = text_column()
    by: str = text_column()
    by_name: str = text_column()
    written_at: datetime = time_column(index=True)
