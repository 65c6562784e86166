"""Listening: which change of mode a fork's answer is awaited of, and by how new a board a listen was last changed.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("listens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("listen_forks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("asked", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("listen_forks", schema=None) as batch_op:
        batch_op.drop_column("asked_at")
        batch_op.drop_column("asked")
    with op.batch_alter_table("listens", schema=None) as batch_op:
        batch_op.drop_column("seen_at")
