"""Requests to end runs."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"


def upgrade() -> None:
    """Add the table, empty."""
    op.create_table(
        "stops",
        sa.Column("run", sa.String(200), primary_key=True),
        sa.Column("asked_by", sa.String(200), nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
    )
