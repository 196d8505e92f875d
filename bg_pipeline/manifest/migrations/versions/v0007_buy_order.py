"""The order of purchases."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    """Add step and priority of an item, and two indexes of the pending ones in that order."""
    op.add_column("items", sa.Column("step", sa.Integer, nullable=False, server_default="0"))
    op.add_column("items", sa.Column("priority", sa.Float, nullable=False, server_default="1e300"))
    for name, columns in {
        "items_to_buy": ["catalogue_id", "step", "priority", "key"],
        "items_to_buy_of_collection": ["catalogue_id", "collection", "step", "priority", "key"],
    }.items():
        op.create_index(name, "items", columns, sqlite_where=_PENDING, postgresql_where=_PENDING)
