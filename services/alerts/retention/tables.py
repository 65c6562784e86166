"""Rows about purges: what was removed, when, and by whom. Never removed themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Text
from sqlmodel import Field

from services.alerts.tables import Base
from shared.tables import text_column, time_column


class PurgeRow(Base, table=True):
    """One purge. `day`: of one that the service did by itself, unique, so that only one of several instances does it.

    `removed`: as `rows.Removed`, written with each batch that it counts; `finished_at` None: it runs, or was cut short.
    """

    __tablename__ = "purges"

    id: int | None = Field(default=None, primary_key=True)
    day: str | None = Field(default=None, sa_type=Text, unique=True)
    by: str = text_column()
    started_at: datetime = time_column()
    finished_at: datetime | None = time_column(default=None)
    rows: int = 0
    removed: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON, nullable=False)
