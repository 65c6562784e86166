"""When each site was heard last, so that a restarted service knows which ones to expect."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field

from services.alerts.tables import Base
from shared.tables import time_column


class HeardRow(Base, table=True):
    """A site and the broker's stamp of its newest record, to the minute or so."""

    __tablename__ = "sites_heard"

    site: str = Field(sa_type=Text, primary_key=True)
    heard_at: datetime = time_column()
