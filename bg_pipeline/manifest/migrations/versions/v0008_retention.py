"""The picture that each master was cut from, since when no item has it, and the masters that were pruned."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add both to the masters, and take the picture from the publications. Of a master without one it stays unknown."""
    op.add_column("purchases", sa.Column("content_hash", sa.String(64), nullable=False, server_default=""))
    op.add_column("purchases", sa.Column("unused_since", sa.Float))
    op.execute(
        "UPDATE purchases SET content_hash = publications.content_hash FROM publications"
        " WHERE publications.purchase_id = purchases.purchase_id"
    )
    op.create_index("purchases_by_content", "purchases", ["content_hash"])
    op.create_index(
        "purchases_unused",
        "purchases",
        ["content_hash"],
        sqlite_where=sa.text("unused_since IS NOT NULL"),
        postgresql_where=sa.text("unused_since IS NOT NULL"),
    )
    op.create_table(
        "pruned",
        sa.Column("purchase_id", sa.String(64), primary_key=True),
        sa.Column("content_hash", sa.String(64), nullable=False, server_default=""),
        sa.Column("pruned_at", sa.Float, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
