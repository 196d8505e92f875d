"""Incidents of each catalogue; those of an account belong to no catalogue."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Give the open incidents to the catalogue of the last run, apart from those of accounts."""
    op.create_table(
        "new_incidents",
        sa.Column("catalogue_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("subject", sa.LargeBinary, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("began_at", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("notified_at", sa.Float, nullable=False),
    )
    op.execute(
        "INSERT INTO new_incidents (catalogue_id, kind, subject, title, began_at, seen_at, notified_at)"
        " SELECT CASE WHEN kind IN ('credits', 'bad_key', 'outage', 'paused', 'drift') THEN 0"
        " ELSE COALESCE((SELECT catalogue_id FROM run_log WHERE catalogue_id IS NOT NULL ORDER BY id DESC LIMIT 1), 1)"
        " END,"
        " kind, subject, title, began_at, seen_at, notified_at FROM incidents"
    )
    op.drop_table("incidents")
    op.rename_table("new_incidents", "incidents")
