"""Live listening: listens, forks, what was heard, messages on their way, and the chained audit.

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

# who listened to whom is only ever added to, whoever writes to the database
KEEP_SQLITE = (
    "CREATE TRIGGER listen_audit_stays_{verb} BEFORE {verb} ON listen_audit "
    "BEGIN SELECT RAISE(ABORT, 'listen_audit is append-only'); END"
)
# INSERT OR REPLACE would take a row away without a DELETE
ADD_SQLITE = (
    "CREATE TRIGGER listen_audit_stays_INSERT BEFORE INSERT ON listen_audit "
    "WHEN EXISTS (SELECT 1 FROM listen_audit WHERE id = NEW.id OR prev_hash = NEW.prev_hash) "
    "BEGIN SELECT RAISE(ABORT, 'listen_audit is append-only'); END"
)
KEEP_FUNCTION = (
    "CREATE FUNCTION listen_audit_stays() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'listen_audit is append-only'; END $$"
)
KEEP_POSTGRES = (
    "CREATE TRIGGER listen_audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON listen_audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION listen_audit_stays()"
)


def _texts(names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names.split()]


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _listens() -> None:
    op.create_table(
        "listens",
        sa.Column("id", sa.Integer(), nullable=False),
        *_texts("listen_id"),
        sa.Column("version", sa.Integer(), nullable=False),
        *_texts("site user user_name"),
        _time("token_issued", nullable=True),
        _time("token_expires", nullable=True),
        *_texts("follow call_id agent_id agent_name purpose comment mode state reason detail"),
        *_texts("fork_id speak_fork_id muted tell_agent"),
        _time("told_at", nullable=True),
        _time("started_at"),
        _time("until"),
        _time("leased_until"),
        _time("live_at", nullable=True),
        _time("ended_at", nullable=True),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("ever_connected", sa.Boolean(), nullable=False),
        *_texts("relay run"),
        _time("alone_since", nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        _time("retry_at", nullable=True),
        sa.Column("counted", sa.JSON(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listens")),
        sa.UniqueConstraint("listen_id", name=op.f("uq_listens_listen_id")),
    )
    with op.batch_alter_table("listens", schema=None) as batch_op:
        batch_op.create_index("ix_listens_agent", ["site", "agent_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_listens_open"), ["open"], unique=False)
        batch_op.create_index(batch_op.f("ix_listens_started_at"), ["started_at"], unique=False)
        batch_op.create_index("ix_listens_user", ["user", "id"], unique=False)


def _forks() -> None:
    op.create_table(
        "listen_forks",
        *_texts("fork_id site target"),
        sa.Column("open_target", sa.Text(), nullable=True),
        *_texts("call_id leg_id agent_id side audio"),
        sa.Column("speaks", sa.Boolean(), nullable=False),
        *_texts("owner mode state"),
        _time("ordered_at"),
        _time("up_at", nullable=True),
        _time("ended_at", nullable=True),
        *_texts("relay run how detail"),
        sa.PrimaryKeyConstraint("fork_id", name=op.f("pk_listen_forks")),
        sa.UniqueConstraint("open_target", name=op.f("uq_listen_forks_open_target")),
    )
    with op.batch_alter_table("listen_forks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_listen_forks_ordered_at"), ["ordered_at"], unique=False)


def _heard() -> None:
    op.create_table(
        "listen_heard",
        *_texts("listen_id fork_id call_id agent_id site user purpose"),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("discarded", sa.BigInteger(), nullable=False),
        _time("from_at"),
        _time("to_at"),
        sa.PrimaryKeyConstraint("listen_id", "fork_id", "call_id", "agent_id", name=op.f("pk_listen_heard")),
    )
    with op.batch_alter_table("listen_heard", schema=None) as batch_op:
        batch_op.create_index("ix_listen_heard_call", ["site", "call_id"], unique=False)
        batch_op.create_index("ix_listen_heard_from", ["site", "from_at"], unique=False)


def _audit() -> None:
    op.create_table(
        "listen_audit",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        _time("at"),
        *_texts("site kind listen_id by by_name agent_id agent_name call_id purpose mode detail prev_hash hash"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listen_audit")),
        sa.UniqueConstraint("prev_hash", name=op.f("uq_listen_audit_prev_hash")),
    )
    with op.batch_alter_table("listen_audit", schema=None) as batch_op:
        batch_op.create_index("ix_listen_audit_listen", ["listen_id", "id"], unique=False)
        batch_op.create_index("ix_listen_audit_site", ["site", "id"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(KEEP_SQLITE.format(verb=verb))
        op.execute(ADD_SQLITE)
    else:
        op.execute(KEEP_FUNCTION)
        op.execute(KEEP_POSTGRES)


def upgrade() -> None:
    _listens()
    _forks()
    _heard()
    _audit()
    op.create_table(
        "listen_outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        *_texts("topic key"),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        _time("made_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listen_outbox")),
    )


def downgrade() -> None:
    for table in ("listen_outbox", "listen_audit", "listen_heard", "listen_forks", "listens"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION listen_audit_stays()")
