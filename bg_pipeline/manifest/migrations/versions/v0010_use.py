"""What each attempt and each master was bought as: its alpha, or its colours too."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """
    Add it to both, not known for earlier ones: those are used as the recipe's cut of their name.

    A master that was neither sent nor attempted was adopted, and keeps its own colours.
    """
    for table in ("attempts", "purchases"):
        op.add_column(table, sa.Column("use", sa.String(20)))
    op.execute(
        "UPDATE purchases SET use = 'undeclared' WHERE sent_digest = ''"
        " AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.purchase_id = purchases.purchase_id)"
    )
