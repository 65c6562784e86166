"""Silences, actions, and what lists of incidents are ordered, narrowed and searched by.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OF_LISTS = {
    "ix_incidents_urgency": ["urgency", "id", "state", "words"],
    "ix_incidents_site_urgency": ["site", "urgency", "id"],
    "ix_incidents_rule_urgency": ["rule", "urgency", "id"],
    "ix_incidents_owner_urgency": ["owner", "urgency", "id"],
    "ix_incidents_opened_at": ["opened_at", "state"],
}
HOLDS = "ix_incidents_holds"
INCIDENTS = sa.table(
    "incidents",
    sa.column("id", sa.Integer),
    *(sa.column(name, sa.Text) for name in ("site", "rule", "subject_id", "severity", "state", "owner", "held")),
    *(sa.column(name, sa.Text) for name in ("summary_en", "summary_zh", "words")),
    *(sa.column(name, sa.DateTime(timezone=True)) for name in ("open_since", "changed_at", "resolved_at")),
    sa.column("labels", sa.JSON),
    sa.column("urgency", sa.BigInteger),
)


def upgrade() -> None:
    _silences()
    _actions()
    op.add_column("incidents", sa.Column("holds", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("incidents", sa.Column("urgency", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("incidents", sa.Column("words", sa.Text(), nullable=False, server_default=""))
    active = "SELECT 1 FROM flags WHERE flags.incident_id = incidents.id AND flags.status = 'active'"
    op.execute(f"UPDATE incidents SET holds = EXISTS ({active})")
    _order_and_words()
    for name, columns in OF_LISTS.items():
        op.create_index(name, "incidents", columns)
    op.create_index(HOLDS, "incidents", ["rule"], sqlite_where=sa.text("holds"), postgresql_where=sa.text("holds"))


def downgrade() -> None:
    op.drop_index(HOLDS, table_name="incidents")
    for name in OF_LISTS:
        op.drop_index(name, table_name="incidents")
    for name in ("words", "urgency", "holds"):
        op.drop_column("incidents", name)
    for name in ("incident_actions", "silence_events", "silences", "desk"):
        op.drop_table(name)


def _silences() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "silences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("starts", time, nullable=False),
        sa.Column("ends", time, nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )
    op.create_index(op.f("ix_silences_ends"), "silences", ["ends"])
    op.create_table(
        "silence_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("silence_id", sa.Integer(), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["silence_id"], ["silences.id"], name=op.f("fk_silence_events_silence_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence_events")),
    )
    op.create_index(op.f("ix_silence_events_silence_id"), "silence_events", ["silence_id"])
    desk = op.create_table(
        "desk",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("silences", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk")),
    )
    op.bulk_insert(desk, [{"id": 1, "silences": 0}])


def _actions() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "incident_actions",
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("due_at", time, nullable=True),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("done_at", time, nullable=True),
        sa.Column("done_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_incident_actions_incident_id")),
        sa.PrimaryKeyConstraint("incident_id", "number", name=op.f("pk_incident_actions")),
    )


def _order_and_words() -> None:
    """What the service computes for each incident that it writes, for those that there are."""
    connection, last = op.get_bind(), 0
    while True:
        rows = connection.execute(
            sa.select(INCIDENTS).where(INCIDENTS.c.id > last).order_by(INCIDENTS.c.id).limit(1000)
        ).all()
        if not rows:
            return
        change = sa.update(INCIDENTS).where(INCIDENTS.c.id == sa.bindparam("number"))
        change = change.values(urgency=sa.bindparam("order"), words=sa.bindparam("said"))
        connection.execute(change, [{"number": one.id, "order": _urgency(one), "said": _words(one)} for one in rows])
        last = rows[-1].id


def _urgency(one: Any) -> int:
    if one.state == "resolved":
        return 12 * 10**14 + 10**14 - 1 - _ms(one.resolved_at or one.changed_at)
    severity = {"critical": 0, "warning": 1}.get(one.severity, 2)
    taken = 2 if one.state == "acknowledged" else 0
    return (4 * severity + taken + (1 if one.held else 0)) * 10**14 + _ms(one.open_since)


def _ms(at: datetime) -> int:
    known = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0, round((known - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000))


def _words(one: Any) -> str:
    said = (one.rule, one.subject_id, one.owner, one.site, *one.labels.values(), one.summary_en, one.summary_zh)
    return "\n".join(dict.fromkeys(said)).lower()[:600]
