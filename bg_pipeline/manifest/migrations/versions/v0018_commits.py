"""The marks by which the end of a transaction is known whose answer was lost."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add their table."""
    op.create_table(
        "commits",
        sa.Column("mark", sa.String(32), primary_key=True),
        sa.Column("is_done", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
    )
