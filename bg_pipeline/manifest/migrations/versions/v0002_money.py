"""More of every purchase, gates that open by themselves, and the limits that were learned."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns and a table."""
    added: dict[str, list[sa.Column[Any]]] = {
        "masters": [_text("sent_digest", 64), _text("cut_hash", 64)],
        "attempts": [
            sa.Column("answer", sa.Text, nullable=False, server_default=""),
            _text("request_id", 200),
            sa.Column("item_key", sa.LargeBinary),
            _text("run", 200),
            _text("sent_digest", 64),
            _text("cut_hash", 64),
        ],
        "gates": [
            sa.Column("balance_at", sa.Float, nullable=False, server_default="0"),
            sa.Column("until", sa.Float, nullable=False, server_default="0"),
            sa.Column("trips", sa.Integer, nullable=False, server_default="0"),
            sa.Column("why", sa.Text, nullable=False, server_default=""),
            sa.Column("held_open", sa.Boolean, nullable=False, server_default=sa.text("false")),
        ],
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("masters_by_sent", "masters", ["sent_digest", "cut_hash"])
    op.create_index("attempts_by_run", "attempts", ["run"])
    op.create_table(
        "limits",
        sa.Column("provider", sa.String(40), primary_key=True),
        sa.Column("state", sa.JSON, nullable=False),
    )


def _text(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=False, server_default="")
