"""Flags and incidents of a recording played back say so.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("incidents", "flags")


def upgrade() -> None:
    # added in place: a batch would make the table anew, and SQLite lets go of no table that others refer to
    for table in TABLES:
        op.add_column(table, sa.Column("replay", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "replay")
