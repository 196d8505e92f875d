"""Items that could not be read, and the failures that a person accepted."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the reason why an item could not be read, an index of these few items, and the accepted failures."""
    op.add_column("items", sa.Column("problem", sa.Text, nullable=False, server_default=""))
    op.create_index(
        "items_by_problem",
        "items",
        ["catalogue_id", "key"],
        sqlite_where=sa.text("problem <> ''"),
        postgresql_where=sa.text("problem <> ''"),
    )
    op.create_table(
        "acceptances",
        sa.Column("catalogue_id", sa.Integer, primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("accepted_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
