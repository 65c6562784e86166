"""Rows of silences and of what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field

from services.alerts.tables import Base
from shared.tables import text_column, time_column


class SilenceRow(Base, table=True):
    """A silence or a maintenance window. Whether it is in force follows from `starts` and `ends`, wall clock."""

    __tablename__ = "silences"

    id: int | None = Field(default=None, primary_key=True)
    kind: str = text_column()
    matchers: list[Any] = Field(default_factory=list, sa_type=JSON, nullable=False)
    reason: str = text_column(default="")
    by: str = text_column()
    created_at: datetime = time_column()
    starts: datetime = time_column()
    ends: datetime = time_column(index=True)
    ended_by: str = text_column(default="")  # who cut it short; `ends` is when


class SilenceEventRow(Base, table=True):
    """What people did to a silence. Rows are only ever added."""

    __tablename__ = "silence_events"

    id: int | None = Field(default=None, primary_key=True)
    silence_id: int = Field(foreign_key="silences.id", index=True)
    at: datetime = time_column()
    kind: str = text_column()  # made, ended
    by: str = text_column()
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)


class DeskRow(Base, table=True):
    """The one row whose lock whoever changes incidents or silences holds; `silences` grows with each change of one."""

    __tablename__ = "desk"

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    silences: int = 0
