"""Rows of reports that were sent because their time had come."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field

from services.alerts.tables import Base
from shared.tables import text_column, time_column


class ReportRow(Base, table=True):
    """One report for one receiver, claimed before it is written. Whatever two instances think, there is one.

    `state`: writing (until `claimed_until`, then another may), posted (in the outbox, which sends it), no_channel (the receiver
    has none), nothing (there were no records yet), failed.
    """

    __tablename__ = "report_runs"
    __table_args__ = (
        UniqueConstraint("kind", "site", "period", "receiver"),
        Index("ix_report_runs_site_id", "site", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str = text_column()
    site: str = text_column()
    period: str = text_column()  # its key
    first: date
    receiver: str = text_column()
    due_at: datetime = time_column()
    state: str = text_column(default="writing")
    attempts: int = 1
    claimed_until: datetime | None = time_column(default=None)
    written_at: datetime | None = time_column(default=None)
    complete: float | None = None  # share of the period that was recorded
    files: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON, nullable=False)  # name and size of each
    notices: list[int] = Field(default_factory=list, sa_type=JSON, nullable=False)  # of the outbox
    answer: str = text_column(default="")
