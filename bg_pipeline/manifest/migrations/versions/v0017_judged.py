"""The revision at which a delta found nothing to do for an item, and the settings of that delta."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the columns and their indexes. No item is judged yet."""
    op.add_column("items", sa.Column("judged", sa.BigInteger, nullable=False, server_default="-1"))
    op.add_column("catalogues", sa.Column("judged_under", sa.String(64), nullable=False, server_default=""))
    for name, columns, where in (
        ("items_to_judge", ["catalogue_id", "key"], "(judged <> revision) IS TRUE"),
        ("items_set_aside", ["catalogue_id", "state", "key"], "judged = revision AND state <> 'published'"),
    ):
        op.create_index(name, "items", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    if op.get_bind().dialect.name == "postgresql":
        # Else it takes almost all rows for unequal, and reads the table instead of the index.
        op.execute("CREATE STATISTICS items_to_judge_share ON (judged <> revision) FROM items")
