"""Who publishes now. (What is not published yet is said by the history's rows themselves: `tables.EventRow.published`.)"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field

from services.alerts.tables import Base
from shared.tables import text_column, time_column


class LeaseRow(Base, table=True):
    """Work that one instance at a time does: `holder` until `until`, unless it says again that it still does."""

    __tablename__ = "leases"

    name: str = Field(sa_type=Text, primary_key=True)
    holder: str = text_column()
    until: datetime = time_column()
