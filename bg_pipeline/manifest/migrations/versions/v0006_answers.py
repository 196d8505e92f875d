"""Paid answers that wait in the spool, and readings of the balance."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add an index of the few attempts whose answer waits, and the balance as the vendor showed it."""
    op.create_index(
        "attempts_answered",
        "attempts",
        ["purchase_id"],
        sqlite_where=sa.text("state = 'answered'"),
        postgresql_where=sa.text("state = 'answered'"),
    )
    with op.batch_alter_table("gates") as gates:
        gates.add_column(sa.Column("reading", sa.BigInteger))
        gates.add_column(sa.Column("expected", sa.BigInteger))
