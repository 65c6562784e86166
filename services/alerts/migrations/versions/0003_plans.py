"""Incidents keep their plan, what was told of them, and when to look at them again.

What was open before has the empty plan: nobody is told of it again.

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

NOBODY = "edbd49efb50aa623ace954fd"  # the key of the empty plan


def upgrade() -> None:
    plans = op.create_table(
        "plans",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_plans")),
    )
    op.bulk_insert(plans, [{"key": NOBODY, "plan": {"routes": {}, "raises": []}}])
    time = sa.DateTime(timezone=True)
    op.add_column(
        "incidents", sa.Column("open_since", time, nullable=False, server_default="1970-01-01 00:00:00+00:00")
    )
    op.execute("UPDATE incidents SET open_since = opened_at")
    op.add_column("incidents", sa.Column("recheck_at", time, nullable=True))
    op.add_column("incidents", sa.Column("plan_key", sa.Text(), nullable=False, server_default=NOBODY))
    op.add_column("incidents", sa.Column("telling", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("incidents", sa.Column("held", sa.Text(), nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("next_at", time, nullable=True))
    op.execute("UPDATE incidents SET next_at = quiet_since WHERE state = 'open'")
    op.create_index(op.f("ix_incidents_next_at"), "incidents", ["next_at"])
    op.drop_index(op.f("ix_incidents_quiet_since"), table_name="incidents")
    _move("notifications", "notification", "opening", "notices", "notice", "telling", receiver=True)
    _remember_what_was_told()


def _remember_what_was_told() -> None:
    """The next telling has a number of its own, and what was told of this opening is not told again."""
    count = "coalesce((SELECT max(telling) FROM notices WHERE notices.incident_id = incidents.id), 0)"
    told = f"""'{{"count": ' || {count} || ', "opening": ' || openings || '}}'"""
    if op.get_bind().dialect.name == "postgresql":
        told = f"CAST({told} AS JSON)"
    op.execute(f"UPDATE incidents SET telling = {told}")


def downgrade() -> None:
    _move("notices", "notice", "telling", "notifications", "notification", "opening", receiver=False)
    op.create_index(op.f("ix_incidents_quiet_since"), "incidents", ["quiet_since"])
    op.drop_index(op.f("ix_incidents_next_at"), table_name="incidents")
    for name in ("next_at", "held", "telling", "plan_key", "recheck_at", "open_since"):
        op.drop_column("incidents", name)
    op.drop_table("plans")


def _move(old: str, old_one: str, old_number: str, new: str, new_one: str, number: str, *, receiver: bool) -> None:
    """Notifications to tables of another name: SQLite changes no constraint of a table that others refer to."""
    time = sa.DateTime(timezone=True)
    of_receiver = [sa.Column("receiver", sa.Text(), nullable=False, server_default="")] if receiver else []
    op.create_table(
        new,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column(number, sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *of_receiver,
        sa.Column("channel_key", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("due_at", time, nullable=True),
        sa.Column("finished_at", time, nullable=True),
        sa.Column("late_s", sa.Float(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f(f"fk_{new}_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{new}")),
        sa.UniqueConstraint(
            "incident_id", number, "channel_key", name=op.f(f"uq_{new}_incident_id_{number}_channel_key")
        ),
    )
    op.create_index(op.f(f"ix_{new}_due_at"), new, ["due_at"])
    attempts, old_attempts = f"{new_one}_attempts", f"{old_one}_attempts"
    op.create_table(
        attempts,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(f"{new_one}_id", sa.Integer(), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("took_s", sa.Float(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint([f"{new_one}_id"], [f"{new}.id"], name=op.f(f"fk_{attempts}_{new_one}_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{attempts}")),
    )
    op.create_index(op.f(f"ix_{attempts}_{new_one}_id"), attempts, [f"{new_one}_id"])
    same = "reason, channel_key, channel, state, created_at, due_at, finished_at, late_s, title, body, answer"
    op.execute(
        f"INSERT INTO {new} (incident_id, {number}, {same}) SELECT incident_id, {old_number}, {same} FROM {old} ORDER BY id"
    )
    op.execute(
        f"INSERT INTO {attempts} ({new_one}_id, at, took_s, ok, answer) SELECT n.id, a.at, a.took_s, a.ok, a.answer "
        f"FROM {old_attempts} a JOIN {old} o ON o.id = a.{old_one}_id JOIN {new} n ON n.incident_id = o.incident_id "
        f"AND n.{number} = o.{old_number} AND n.channel_key = o.channel_key ORDER BY a.id"
    )
    op.drop_table(old_attempts)
    op.drop_table(old)
