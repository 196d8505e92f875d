"""Requests to end runs, and the settings on which the hosts of a catalogue agree."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add both tables, empty."""
    op.create_table(
        "stops",
        sa.Column("run", sa.String(200), primary_key=True),
        sa.Column("asked_by", sa.String(200), nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
    )
    op.create_table(
        "settings_in_use",
        sa.Column("catalogue_id", sa.Integer, primary_key=True),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("digests", sa.JSON, nullable=False),
    )
