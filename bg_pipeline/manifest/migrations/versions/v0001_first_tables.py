"""First tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "items",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("collection", sa.LargeBinary, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False, server_default=""),
        sa.Column("content_hash", sa.String(64), nullable=False, server_default=""),
        sa.Column("size_bytes", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("media_type", sa.String(40), nullable=False, server_default=""),
        sa.Column("absent", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False, server_default=""),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.Column("work_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("stem", sa.LargeBinary),
        sa.Column("stem_fold", sa.LargeBinary, unique=True),
        sa.Column("published_work_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("published_cut_hash", sa.String(64), nullable=False, server_default=""),
        sa.Column("published_rendition_hash", sa.String(64), nullable=False, server_default=""),
        sa.Column("output_name", sa.LargeBinary),
        sa.Column("output_digest", sa.String(64), nullable=False, server_default=""),
        sa.Column("published_at", sa.Float),
        sqlite_with_rowid=False,
    )
    op.create_index("items_by_state", "items", ["state", "collection"])
    op.create_index("items_by_published_work", "items", ["published_work_id"])
    op.create_index("items_by_output_name", "items", ["output_name"])

    op.create_table(
        "masters",
        sa.Column("work_id", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("width_px", sa.Integer, nullable=False),
        sa.Column("height_px", sa.Integer, nullable=False),
        sa.Column("suspicion", sa.Text, nullable=False, server_default=""),
        sa.Column("stored_at", sa.Float, nullable=False),
    )

    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("work_id", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("collection", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("credits_expected", sa.BigInteger, nullable=False),
        sa.Column("credits_charged", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("attempts_by_work", "attempts", ["work_id"])
    op.create_index("attempts_by_start", "attempts", ["started_at"])
    still_open = sa.text("state = 'intent'")
    op.create_index(
        "attempts_open_once",
        "attempts",
        ["work_id"],
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )

    op.create_table(
        "leases",
        sa.Column("name", sa.LargeBinary, primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.Float, nullable=False),
    )
    op.create_table(
        "gates",
        sa.Column("provider", sa.String(40), primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("episode", sa.Integer, nullable=False),
        sa.Column("balance", sa.BigInteger),
    )
    op.create_table(
        "syncs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_index("syncs_by_kind", "syncs", ["kind", "id"])
