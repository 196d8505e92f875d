"""What a cutout was made from, since when a picture is gone, and where its cutout lies in the trash."""

import hashlib
import json
import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_CHUNK = 5_000


def upgrade() -> None:
    """Add columns, and an index that answers for the names on show by itself."""
    for column in (
        sa.Column("published_content_hash", sa.String(64), nullable=False, server_default=""),
        sa.Column("absent_since", sa.Float),
        sa.Column("trash_name", sa.LargeBinary),
        sa.Column("trashed_at", sa.Float),
    ):
        op.add_column("items", column)
    op.drop_index("items_by_output_name", "items")
    op.create_index("items_by_output_name", "items", ["output_name", "absent", "key"])
    conn = op.get_bind()
    # Nobody knows since when they are gone; from now on is the careful answer.
    conn.execute(sa.text("UPDATE items SET absent_since = :now WHERE absent"), {"now": time.time()})
    _fill(conn)


def _fill(conn: sa.Connection) -> None:
    """Where the work is that of the bytes last seen, those were cut out; elsewhere nobody knows."""
    page = sa.text(
        "SELECT key, content_hash, published_cut_hash, published_work_id FROM items "
        "WHERE key > :after AND published_work_id <> '' ORDER BY key LIMIT :most"
    )
    after = b""
    while rows := conn.execute(page, {"after": after, "most": _CHUNK}).all():
        after = bytes(rows[-1].key)
        same = [
            {"k": row.key, "content": row.content_hash}
            for row in rows
            if row.published_work_id == _work_id(row.content_hash, row.published_cut_hash)
        ]
        if same:
            conn.execute(sa.text("UPDATE items SET published_content_hash = :content WHERE key = :k"), same)


def _work_id(content_hash: str, cut_hash: str) -> str:
    """As it was when this was written: a migration must not change with the code."""
    return hashlib.sha256(json.dumps([content_hash, cut_hash], separators=(",", ":")).encode()).hexdigest()
