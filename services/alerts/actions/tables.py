"""Rows of what is still to do about incidents."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Field

from services.alerts.tables import Base
from shared.tables import text_column, time_column


class ActionRow(Base, table=True):
    """An action of an incident as it stands; what became of it is in the incident's history."""

    __tablename__ = "incident_actions"

    incident_id: int = Field(foreign_key="incidents.id", primary_key=True)
    number: int = Field(primary_key=True)  # within the incident, from 1
    text: str = text_column()
    owner: str = text_column()
    created_at: datetime = time_column()
    created_by: str = text_column()
    due_on: date | None = None
    due_at: datetime | None = time_column(default=None)  # when its day is told
    told: bool = False
    done_at: datetime | None = time_column(default=None)
    done_by: str = text_column(default="")
