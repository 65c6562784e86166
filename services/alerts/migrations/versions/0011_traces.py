"""Which raw record a flag goes back to, as logs call it. Flags from before have none.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("flags", sa.Column("trace", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("flags", "trace")
