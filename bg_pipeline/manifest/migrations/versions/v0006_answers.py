"""Paid answers that wait in the spool, and charges that a person waived."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add an index of the few attempts whose answer waits, and a column."""
    op.add_column("attempts", sa.Column("waived", sa.Boolean, nullable=False, server_default=sa.text("false")))
    op.create_index(
        "attempts_answered",
        "attempts",
        ["purchase_id"],
        sqlite_where=sa.text("state = 'answered'"),
        postgresql_where=sa.text("state = 'answered'"),
    )
