"""Reports that were sent because their time had come, each once.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "report_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("due_at", time, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until", time, nullable=True),
        sa.Column("written_at", time, nullable=True),
        sa.Column("complete", sa.Float(), nullable=True),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("notices", sa.JSON(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_runs")),
        sa.UniqueConstraint(
            "kind", "site", "period", "receiver", name=op.f("uq_report_runs_kind_site_period_receiver")
        ),
    )
    op.create_index("ix_report_runs_site_id", "report_runs", ["site", "id"])


def downgrade() -> None:
    op.drop_index("ix_report_runs_site_id", table_name="report_runs")
    op.drop_table("report_runs")
