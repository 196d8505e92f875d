"""Paid answers that wait in the spool, the identity of the manifest, readings, kinds of refusals, waived charges."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """
    Add an index of the few attempts whose answer waits, a place for the identity, the balance as the vendor showed it,
    the kinds of refusals, the charges that a person waived, and the digests of keys.
    """
    op.create_index(
        "attempts_answered",
        "attempts",
        ["purchase_id"],
        sqlite_where=sa.text("state = 'answered'"),
        postgresql_where=sa.text("state = 'answered'"),
    )
    op.create_table(
        "manifest",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("identity", sa.String(32), nullable=False),
    )
    op.add_column("gates", sa.Column("reading", sa.BigInteger))
    op.add_column("gates", sa.Column("expected", sa.BigInteger))
    op.add_column("gates", sa.Column("cleared_at", sa.Float, nullable=False, server_default="0"))
    op.add_column("attempts", sa.Column("kind", sa.String(20), nullable=False, server_default=""))
    op.add_column("attempts", sa.Column("waived", sa.Boolean, nullable=False, server_default=sa.text("false")))
    op.add_column("accounts", sa.Column("key_digest", sa.String(100), nullable=False, server_default=""))
