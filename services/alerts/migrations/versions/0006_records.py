"""Keep what the monitor publishes of finished intervals, calls and transfers, for reports.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = (
    "agent_intervals",
    "call_records",
    "transfer_records",
    "queue_intervals",
    "agent_days",
    "call_days",
    "record_days",
    "recorded_quarters",
    "recorded_sites",
)


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "agent_intervals",
        sa.Column("interval_id", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("started_at", time, nullable=False),
        sa.Column("ended_at", time, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("recorded_at", time, nullable=False),
        sa.PrimaryKeyConstraint("interval_id", name=op.f("pk_agent_intervals")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_agent_intervals_recorded_at"), "agent_intervals", ["recorded_at"])
    op.create_table(
        "call_records",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("from_number", sa.Text(), nullable=False),
        sa.Column("started_at", time, nullable=False),
        sa.Column("answered_at", time, nullable=True),
        sa.Column("ended_at", time, nullable=False),
        sa.Column("waited_us", sa.BigInteger(), nullable=False),
        sa.Column("talk_us", sa.BigInteger(), nullable=True),
        sa.Column("hold_us", sa.BigInteger(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("recorded_at", time, nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_call_records")),
    )
    op.create_index(op.f("ix_call_records_recorded_at"), "call_records", ["recorded_at"])
    op.create_index("ix_call_records_site_call_id", "call_records", ["site", "call_id"])
    op.create_table(
        "transfer_records",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_agent", sa.Text(), nullable=False),
        sa.Column("to_agent", sa.Text(), nullable=False),
        sa.Column("to_queue", sa.Text(), nullable=False),
        sa.Column("to_number", sa.Text(), nullable=False),
        sa.Column("requested_at", time, nullable=False),
        sa.Column("ringing_at", time, nullable=True),
        sa.Column("answered_at", time, nullable=True),
        sa.Column("bridged_at", time, nullable=True),
        sa.Column("released_at", time, nullable=True),
        sa.Column("ended_at", time, nullable=False),
        sa.Column("seek_us", sa.BigInteger(), nullable=True),
        sa.Column("ring_us", sa.BigInteger(), nullable=True),
        sa.Column("brief_us", sa.BigInteger(), nullable=True),
        sa.Column("customer_gap_us", sa.BigInteger(), nullable=True),
        sa.Column("total_us", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("precision_ms", sa.Integer(), nullable=False),
        sa.Column("slow", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("recorded_at", time, nullable=False),
        sa.PrimaryKeyConstraint("site", "transfer_id", name=op.f("pk_transfer_records")),
    )
    op.create_index(op.f("ix_transfer_records_recorded_at"), "transfer_records", ["recorded_at"])
    op.create_index("ix_transfer_records_site_ended_at", "transfer_records", ["site", "ended_at"])
    op.create_table(
        "queue_intervals",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("counted_from", time, nullable=False),
        sa.Column("ended_at", time, nullable=False),
        sa.Column("started_at", time, nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("offered", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("abandoned", sa.Integer(), nullable=False),
        sa.Column("short_abandoned", sa.Integer(), nullable=False),
        sa.Column("other_ended", sa.Integer(), nullable=False),
        sa.Column("answered_within", sa.Integer(), nullable=False),
        sa.Column("abandoned_within", sa.Integer(), nullable=False),
        sa.Column("handled", sa.Integer(), nullable=False),
        sa.Column("transfers", sa.Integer(), nullable=False),
        sa.Column("wait_answered_us", sa.BigInteger(), nullable=False),
        sa.Column("wait_abandoned_us", sa.BigInteger(), nullable=False),
        sa.Column("longest_waited_us", sa.BigInteger(), nullable=True),
        sa.Column("talk_us", sa.BigInteger(), nullable=False),
        sa.Column("hold_us", sa.BigInteger(), nullable=False),
        sa.Column("wrap_us", sa.BigInteger(), nullable=False),
        sa.Column("handling_us", sa.BigInteger(), nullable=False),
        sa.Column("ready_us", sa.BigInteger(), nullable=False),
        sa.Column("within_us", sa.BigInteger(), nullable=False),
        sa.Column("short_abandon_us", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("recorded_at", time, nullable=False),
        sa.PrimaryKeyConstraint("site", "queue", "counted_from", "ended_at", name=op.f("pk_queue_intervals")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_queue_intervals_site_started_at", "queue_intervals", ["site", "started_at"])
    op.create_table(
        "agent_days",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("lasted_us", sa.BigInteger(), nullable=False),
        sa.Column("stale_us", sa.BigInteger(), nullable=False),
        sa.Column("first_at", time, nullable=False),
        sa.Column("last_at", time, nullable=False),
        sa.Column("recorded_at", time, nullable=False),
        sa.PrimaryKeyConstraint("site", "day", "agent_id", "state", "reason", name=op.f("pk_agent_days")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call_days",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("waited_us", sa.BigInteger(), nullable=False),
        sa.Column("talk_us", sa.BigInteger(), nullable=False),
        sa.Column("hold_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", time, nullable=False),
        sa.PrimaryKeyConstraint("site", "day", "agent_id", "queue", "direction", "outcome", name=op.f("pk_call_days")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "record_days",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("recorded_at", time, nullable=False),
        sa.PrimaryKeyConstraint("site", "day", "origin", name=op.f("pk_record_days")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recorded_quarters",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("started_at", time, nullable=False),
        sa.Column("recorded_at", time, nullable=False),
        sa.PrimaryKeyConstraint("site", "started_at", name=op.f("pk_recorded_quarters")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recorded_sites",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("raw_partition", sa.Integer(), nullable=False),
        sa.Column("raw_offset", sa.BigInteger(), nullable=False),
        sa.Column("raw_index", sa.Integer(), nullable=False),
        sa.Column("until", time, nullable=False),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_recorded_sites")),
    )
    op.create_index("ix_flags_site_raised", "flags", ["site", "raised"])


def downgrade() -> None:
    op.drop_index("ix_flags_site_raised", table_name="flags")
    for table in TABLES:
        op.drop_table(table)
