"""Episodes of what is wrong, and the notices about them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "episodes",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("subject", sa.LargeBinary, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("began_at", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("told_at", sa.Float, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("event", sa.String(10), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("outbox_by_target", "outbox", ["target", "state", "id"])
