"""Paid answers that wait in the spool, readings of the balance, and kinds of refusals."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """
    Add an index of the few attempts whose answer waits, the balance as the vendor showed it, the kinds of refusals, and
    the digests of keys.
    """
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
        gates.add_column(sa.Column("cleared_at", sa.Float, nullable=False, server_default="0"))
    with op.batch_alter_table("attempts") as attempts:
        attempts.add_column(sa.Column("kind", sa.String(20), nullable=False, server_default=""))
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("key_digest", sa.String(100), nullable=False, server_default=""))
