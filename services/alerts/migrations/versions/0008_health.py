"""Which lines of the history were published, who publishes, and when each site was heard last.

Everything that is there already is published, too: the topic holds whole histories.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "incident_events", sa.Column("published", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    op.create_index(
        op.f("ix_incident_events_waiting"),
        "incident_events",
        ["id"],
        sqlite_where=sa.text("published = 0"),
        postgresql_where=sa.text("NOT published"),
    )
    time = sa.DateTime(timezone=True)
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", time, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "sites_heard",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("heard_at", time, nullable=False),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_sites_heard")),
    )


def downgrade() -> None:
    op.drop_table("sites_heard")
    op.drop_table("leases")
    op.drop_index(op.f("ix_incident_events_waiting"), table_name="incident_events")
    op.drop_column("incident_events", "published")
