"""The run of each publication, the outputs that runs replaced, and the publications that were taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"


def upgrade() -> None:
    """Add the column, empty for earlier publications, and both tables."""
    op.add_column("publications", sa.Column("run", sa.String(200), nullable=False, server_default=""))
    op.create_table(
        "previous_outputs",
        sa.Column("catalogue_id", sa.Integer, primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("rendition", sa.String(60), primary_key=True),
        sa.Column("run", sa.String(200), primary_key=True),
        sa.Column("purchase_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("cut_digest", sa.String(64), nullable=False, server_default=""),
        sa.Column("rendition_digest", sa.String(64), nullable=False, server_default=""),
        sa.Column("content_hash", sa.String(64), nullable=False, server_default=""),
        sa.Column("output_name", sa.LargeBinary),
        sa.Column("output_digest", sa.String(64), nullable=False, server_default=""),
        sa.Column("published_at", sa.Float),
        sa.Column("published_by", sa.String(200), nullable=False, server_default=""),
        sa.Column("kept_name", sa.LargeBinary),
        sa.Column("kept_digest", sa.String(64), nullable=False, server_default=""),
        sa.Column("replaced_at", sa.Float, nullable=False),
    )
    op.create_index("previous_outputs_by_time", "previous_outputs", ["catalogue_id", "replaced_at"])
    op.create_table(
        "reversions",
        sa.Column("catalogue_id", sa.Integer, primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("rendition", sa.String(60), primary_key=True),
        sa.Column("run", sa.String(200), primary_key=True),
        sa.Column("cut_digest", sa.String(64), nullable=False, server_default=""),
        sa.Column("rendition_digest", sa.String(64), nullable=False, server_default=""),
        sa.Column("content_hash", sa.String(64), nullable=False, server_default=""),
        sa.Column("reverted_by", sa.Text, nullable=False),
        sa.Column("reverted_at", sa.Float, nullable=False),
    )
