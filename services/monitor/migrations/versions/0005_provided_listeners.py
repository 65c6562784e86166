"""Listening: what an identity provider said of who listens, so that every replica can tell whether they still may.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("listens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("token_facts", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("listens", schema=None) as batch_op:
        batch_op.drop_column("token_facts")
