"""Messages, which carry one notice or many; how each channel of a receiver fares.

Attempts are those of messages: what was sent or waits before gets a message of its own.

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

_TIME = sa.DateTime(timezone=True)


def _text(name: str, **more: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, **more)  # type: ignore[arg-type]


def upgrade() -> None:
    _messages()
    _attempts("message")
    op.create_table(
        "message_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        _text("name"),
        _text("media_type"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_message_files_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_files")),
    )
    op.create_index(op.f("ix_message_files_message_id"), "message_files", ["message_id"])
    op.create_table(
        "receiver_channels",
        _text("receiver"),
        _text("channel_key"),
        *(sa.Column(name, _TIME, nullable=True) for name in ("full_at", "failing_since", "dead_since", "sent_at")),
        _text("answer"),
        sa.PrimaryKeyConstraint("receiver", "channel_key", name=op.f("pk_receiver_channels")),
    )
    op.add_column("notices", sa.Column("message_id", sa.Integer(), nullable=True))
    op.add_column("notices", _text("instead_of", server_default=""))
    _carry_over()
    op.create_index(op.f("ix_notices_message_id"), "notices", ["message_id"])
    op.drop_table("notice_attempts")
    for name in ("title", "body"):
        op.drop_column("notices", name)


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), nullable=False),
        *(_text(name) for name in ("kind", "receiver", "channel_key", "channel", "instead_of", "severity")),
        sa.Column("notices", sa.Integer(), nullable=False),
        _text("state"),
        sa.Column("created_at", _TIME, nullable=False),
        *(sa.Column(name, _TIME, nullable=True) for name in ("due_at", "began_at", "finished_at")),
        sa.Column("doubtful", sa.Boolean(), nullable=False),
        *(_text(name) for name in ("key", "title", "body", "html", "answer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_due_at"), "messages", ["due_at"])
    op.create_index(op.f("ix_messages_receiver"), "messages", ["receiver"])


def _attempts(of: str) -> None:
    table = f"{of}_attempts"
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(f"{of}_id", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("took_s", sa.Float(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        _text("answer"),
        sa.ForeignKeyConstraint([f"{of}_id"], [f"{of}s.id"], name=op.f(f"fk_{table}_{of}_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_{of}_id"), table, [f"{of}_id"])


def _carry_over() -> None:
    """Each notice that was tried gets the message that it was, under the notice's own number; those not yet tried wait on."""
    op.execute(
        "INSERT INTO messages (id, kind, receiver, channel_key, channel, instead_of, severity, notices, state, created_at, "
        "due_at, finished_at, doubtful, key, title, body, html, answer) SELECT n.id, 'single', n.receiver, n.channel_key, "
        "n.channel, '', i.severity, 1, n.state, n.created_at, n.due_at, n.finished_at, (1 = 0), "
        "n.incident_id || '/' || n.telling, n.title, n.body, '', n.answer FROM notices n "
        "JOIN incidents i ON i.id = n.incident_id WHERE EXISTS (SELECT 1 FROM notice_attempts a WHERE a.notice_id = n.id)"
    )
    op.execute(
        "INSERT INTO message_attempts (message_id, at, took_s, ok, answer) "
        "SELECT notice_id, at, took_s, ok, answer FROM notice_attempts ORDER BY id"
    )
    tried = "WHERE EXISTS (SELECT 1 FROM messages m WHERE m.id = notices.id)"
    op.execute(f"UPDATE notices SET message_id = id, due_at = NULL {tried}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "SELECT setval(pg_get_serial_sequence('messages', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM messages), false)"
        )


def downgrade() -> None:
    _attempts("notice")
    op.execute(
        "INSERT INTO notice_attempts (notice_id, at, took_s, ok, answer) SELECT n.id, a.at, a.took_s, a.ok, a.answer "
        "FROM message_attempts a JOIN notices n ON n.message_id = a.message_id ORDER BY a.id"
    )
    carried = "(SELECT m.{} FROM messages m WHERE m.id = notices.message_id)"
    for name in ("title", "body"):
        op.add_column("notices", _text(name, server_default=""))
        op.execute(f"UPDATE notices SET {name} = {carried.format(name)} WHERE message_id IS NOT NULL")
    op.execute(f"UPDATE notices SET due_at = {carried.format('due_at')} WHERE message_id IS NOT NULL")
    op.drop_index(op.f("ix_notices_message_id"), table_name="notices")
    for name in ("message_id", "instead_of"):
        op.drop_column("notices", name)
    for name in ("receiver_channels", "message_files", "message_attempts", "messages"):
        op.drop_table(name)
