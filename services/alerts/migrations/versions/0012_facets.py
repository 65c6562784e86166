"""What of an incident different people may see, where its flags are not for all the same.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incidents", sa.Column("facets", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("incidents", sa.Column("mixed", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("incidents", "mixed")
    op.drop_column("incidents", "facets")
