"""Inspectors' work: calls that somebody took in order to hear them, and notes about what was heard.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _texts(names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names.split()]


def upgrade() -> None:
    op.create_table(
        "listen_claims",
        *_texts("site call_id user user_name"),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("site", "call_id", name=op.f("pk_listen_claims")),
    )
    with op.batch_alter_table("listen_claims", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_listen_claims_claimed_at"), ["claimed_at"], unique=False)

    op.create_table(
        "listen_notes",
        sa.Column("id", sa.Integer(), nullable=False),
        *_texts("listen_id site call_id agent_id"),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        *_texts("text by by_name"),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listen_notes")),
    )
    with op.batch_alter_table("listen_notes", schema=None) as batch_op:
        batch_op.create_index("ix_listen_notes_call", ["site", "call_id", "id"], unique=False)
        batch_op.create_index("ix_listen_notes_listen", ["listen_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_listen_notes_written_at"), ["written_at"], unique=False)


def downgrade() -> None:
    for table in ("listen_notes", "listen_claims"):
        op.drop_table(table)
