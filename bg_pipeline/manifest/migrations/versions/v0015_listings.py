"""Blocks of the last complete listing, and an index of the items that are hashed whatever a listing says."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the table and the index."""
    op.create_table(
        "listings",
        sa.Column("catalogue_id", sa.Integer, primary_key=True),
        sa.Column("blocks", sa.JSON, nullable=False),
    )
    op.create_index(
        "items_to_hash",
        "items",
        ["catalogue_id", "key"],
        sqlite_where=sa.text("fingerprint = '' AND NOT absent"),
        postgresql_where=sa.text("fingerprint = '' AND NOT absent"),
    )
