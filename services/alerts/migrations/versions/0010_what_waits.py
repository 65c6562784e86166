"""Indexes of what stands and what waits, which is little beside what is kept: they are asked whenever something is sent.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


STANDING = sa.text("status = 'active'")
WAITING = sa.text("due_at IS NOT NULL")
IN_LANES = ("messages", "notices")


def upgrade() -> None:
    columns = ["rule", "flag_id"]
    op.create_index("ix_flags_active", "flags", columns, sqlite_where=STANDING, postgresql_where=STANDING)
    columns = ["receiver", "channel_key", "due_at"]
    for table in IN_LANES:
        op.create_index(f"ix_{table}_waiting", table, columns, sqlite_where=WAITING, postgresql_where=WAITING)


def downgrade() -> None:
    for table in IN_LANES:
        op.drop_index(f"ix_{table}_waiting", table_name=table)
    op.drop_index("ix_flags_active", table_name="flags")
