"""Paid answers that wait in the spool, charges that a person waived, and the identity of the manifest."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add an index of the few attempts whose answer waits, a column, and a place for the identity."""
    op.add_column("attempts", sa.Column("waived", sa.Boolean, nullable=False, server_default=sa.text("false")))
    op.create_index(
        "attempts_answered",
        "attempts",
        ["purchase_id"],
        sqlite_where=sa.text("state = 'answered'"),
        postgresql_where=sa.text("state = 'answered'"),
    )
    op.create_table(
        "manifest",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("identity", sa.String(32), nullable=False),
    )
