"""What the tables of every service share: names of constraints, and columns that are the same on every database."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Text
from sqlmodel import Field

from shared.db import UtcDateTime

NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def text_column(**options: Any) -> Any:
    """A text of any length."""
    return Field(sa_type=Text, **options)


def time_column(**options: Any) -> Any:
    """A moment, aware UTC."""
    return Field(sa_type=UtcDateTime, **options)
