"""Catalogues, accounts, publications and claims in tables of their own, and a run log of typed records."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bg_pipeline.manifest.migrations.log_of_0004 import copy_log

revision = "0005"
down_revision = "0004"

_INDEXES = {
    "items_by_state": "items",
    "items_by_published_work": "items",
    "items_by_output_name": "items",
    "masters_by_sent": "masters",
    "attempts_by_work": "attempts",
    "attempts_by_start": "attempts",
    "attempts_by_run": "attempts",
    "attempts_open_once": "attempts",
    "syncs_by_kind": "syncs",
}

_REPLACED = ("items", "masters", "attempts", "leases", "gates", "limits", "syncs")


def upgrade() -> None:
    """Make the new tables beside the old ones, copy every value, drop the old ones. All of it is catalogue 1."""
    conn = op.get_bind()
    for name, table in _INDEXES.items():
        op.drop_index(name, table)
    for name in _REPLACED:
        op.rename_table(name, f"old_{name}")
    _create_catalogues_and_accounts()
    _create_items_and_publications()
    _create_purchases_and_attempts()
    _create_claims_and_leases()
    _create_gates_and_limits()
    _create_run_log()
    for statement in _COPIES:
        conn.execute(sa.text(statement), {"prefix": b"collection ", "top": b"collection .", "none": b""})
    copy_log(conn)
    for name in _REPLACED:
        op.drop_table(f"old_{name}")
    # Only now, so that copying a million rows does not go through them.
    _create_indexes()
    if conn.dialect.name == "postgresql":
        for name in ("catalogues", "attempts", "run_log"):
            sequence = sa.func.pg_get_serial_sequence(name, "id")
            conn.execute(sa.select(sa.func.setval(sequence, sa.func.max(sa.column("id")))).select_from(sa.table(name)))
    else:
        _say_that_catalogues_are_large(conn)


def _create_catalogues_and_accounts() -> None:
    op.create_table(
        "catalogues",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False, unique=True),
        sa.Column("delta", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("vendor", sa.String(40), nullable=False),
    )


def _create_items_and_publications() -> None:
    op.create_table(
        "items",
        sa.Column("catalogue_id", sa.Integer, primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("collection", sa.LargeBinary, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False, server_default=""),
        _text("content_hash", 64),
        sa.Column("size_bytes", sa.BigInteger, nullable=False, server_default="0"),
        _text("media_type", 40),
        sa.Column("absent", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("absent_since", sa.Float),
        sa.Column("state", sa.String(20), nullable=False),
        _text("reason", 20),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        _text("purchase_id", 64),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("delta", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("claim_id", sa.BigInteger),
        sa.Column("stem", sa.LargeBinary),
        sa.Column("stem_fold", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "publications",
        sa.Column("catalogue_id", sa.Integer, primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("rendition", sa.String(60), primary_key=True),
        _text("purchase_id", 64),
        _text("cut_digest", 64),
        _text("rendition_digest", 64),
        _text("content_hash", 64),
        sa.Column("output_name", sa.LargeBinary),
        _text("output_digest", 64),
        sa.Column("published_at", sa.Float),
        sa.Column("trash_name", sa.LargeBinary),
        sa.Column("trashed_at", sa.Float),
        sqlite_with_rowid=False,
    )


def _create_purchases_and_attempts() -> None:
    op.create_table(
        "purchases",
        sa.Column("purchase_id", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("width_px", sa.Integer, nullable=False),
        sa.Column("height_px", sa.Integer, nullable=False),
        sa.Column("suspicion", sa.Text, nullable=False, server_default=""),
        sa.Column("stored_at", sa.Float, nullable=False),
        _text("sent_digest", 64),
        _text("cut_digest", 64),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.String(100), nullable=False),
        sa.Column("catalogue_id", sa.Integer, nullable=False),
        sa.Column("item_key", sa.LargeBinary),
        sa.Column("collection", sa.LargeBinary, nullable=False),
        sa.Column("claim_id", sa.BigInteger),
        _text("run", 200),
        sa.Column("purchase_id", sa.String(64), nullable=False),
        _text("sent_digest", 64),
        _text("cut_digest", 64),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("credits_expected", sa.BigInteger, nullable=False),
        sa.Column("credits_charged", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.Column("answer", sa.Text, nullable=False, server_default=""),
        _text("request_id", 200),
    )


def _create_claims_and_leases() -> None:
    op.create_table(
        "claims",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("catalogue_id", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("asked_by", sa.String(20), nullable=False),
        sa.Column("run", sa.String(200), nullable=False),
        sa.Column("cap", sa.BigInteger),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("ends_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "leases",
        sa.Column("catalogue_id", sa.Integer, primary_key=True),
        sa.Column("name", sa.LargeBinary, primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.Float, nullable=False),
    )


def _create_gates_and_limits() -> None:
    op.create_table(
        "gates",
        sa.Column("account", sa.String(100), primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("pause", sa.Integer, nullable=False),
        sa.Column("balance", sa.BigInteger),
        sa.Column("balance_at", sa.Float, nullable=False, server_default="0"),
        sa.Column("until", sa.Float, nullable=False, server_default="0"),
        sa.Column("trips", sa.Integer, nullable=False, server_default="0"),
        sa.Column("why", sa.Text, nullable=False, server_default=""),
        sa.Column("forced_open", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
    op.create_table(
        "limits",
        sa.Column("account", sa.String(100), primary_key=True),
        sa.Column("state", sa.JSON, nullable=False),
    )


def _create_run_log() -> None:
    op.create_table(
        "run_log",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("catalogue_id", sa.Integer),
        sa.Column("account", sa.String(100)),
        _text("run_id", 200),
        _text("job", 100),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float, nullable=False),
        sa.Column("record", sa.JSON, nullable=False),
    )


def _create_indexes() -> None:
    _create_partial("items_by_stem", "items", ["catalogue_id", "stem_fold"], "stem_fold IS NOT NULL", unique=True)
    op.create_index("items_by_state", "items", ["catalogue_id", "state", "collection", "key"])
    _create_partial("items_by_absence", "items", ["catalogue_id", "key"], "absent")
    _create_partial(
        "items_by_purchase", "items", ["catalogue_id", "purchase_id"], "state = 'pending' AND purchase_id <> ''"
    )
    _create_partial("items_by_claim", "items", ["claim_id"], "claim_id IS NOT NULL")
    op.create_index("publications_by_purchase", "publications", ["catalogue_id", "purchase_id"])
    op.create_index("publications_by_output", "publications", ["catalogue_id", "output_name"])
    op.create_index("purchases_by_payload", "purchases", ["sent_digest", "cut_digest"])
    op.create_index("attempts_by_purchase", "attempts", ["purchase_id"])
    op.create_index("attempts_by_start", "attempts", ["started_at"])
    op.create_index("attempts_by_run", "attempts", ["run"])
    _create_partial("attempts_open_once", "attempts", ["purchase_id"], "state = 'intent'", unique=True)
    op.create_index("run_log_by_kind", "run_log", ["kind", "id"])


def _say_that_catalogues_are_large(conn: sa.Connection) -> None:
    """
    Without statistics SQLite takes a catalogue for ten items, and goes through all of them instead of by the index.

    Rows in an index, then how many share its first column, its first two, …
    """
    conn.execute(sa.text("ANALYZE catalogues"))  # makes the table
    conn.execute(
        sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:tbl, :idx, :stat)"),
        [{"tbl": tbl, "idx": idx, "stat": stat} for tbl, idx, stat in _STATISTICS],
    )
    conn.execute(sa.text("ANALYZE sqlite_master"))  # reads it


def _create_partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _text(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=False, server_default="")


_COPIES = (
    "INSERT INTO catalogues (id, name) VALUES (1, 'default')",
    # An account is called as its vendor is: there was no other.
    """
    INSERT INTO accounts (name, vendor)
    SELECT provider, provider FROM (
        SELECT provider FROM old_gates UNION SELECT provider FROM old_limits UNION SELECT provider FROM old_attempts
    ) AS known
    """,
    """
    INSERT INTO items (
        catalogue_id, key, collection, fingerprint, content_hash, size_bytes, media_type, absent, absent_since,
        state, reason, detail, purchase_id, changed_at, stem, stem_fold
    )
    SELECT 1, key, collection, evidence, content_hash, size_bytes, media_type, absent, absent_since,
        state, reason, detail, work_id, changed_at, stem, stem_fold
    FROM old_items
    """,
    """
    INSERT INTO publications (
        catalogue_id, key, rendition, purchase_id, cut_digest, rendition_digest, content_hash,
        output_name, output_digest, published_at, trash_name, trashed_at
    )
    SELECT 1, key, 'main', published_work_id, published_cut_hash, published_rendition_hash, published_content_hash,
        output_name, output_digest, published_at, trash_name, trashed_at
    FROM old_items WHERE published_work_id <> '' OR output_name IS NOT NULL OR trash_name IS NOT NULL
    """,
    """
    INSERT INTO purchases (purchase_id, digest, width_px, height_px, suspicion, stored_at, sent_digest, cut_digest)
    SELECT work_id, digest, width_px, height_px, suspicion, stored_at, sent_digest, cut_hash FROM old_masters
    """,
    # A lease was named after its collection, and the top folder was called by a dot.
    """
    INSERT INTO attempts (
        id, account, catalogue_id, item_key, collection, run, purchase_id, sent_digest, cut_digest, state,
        credits_expected, credits_charged, started_at, ended_at, detail, answer, request_id
    )
    SELECT id, provider, 1, item_key,
        CASE WHEN collection = :top THEN :none
            WHEN substr(collection, 1, 11) = :prefix THEN substr(collection, 12)
            ELSE collection END,
        run, work_id, sent_digest, cut_hash, state,
        credits_expected, credits_charged, started_at, ended_at, detail, answer, request_id
    FROM old_attempts
    """,
    """
    INSERT INTO leases (catalogue_id, name, owner, token, ends_at)
    SELECT 1, name, owner, token, ends_at FROM old_leases WHERE substr(name, 1, 11) <> :prefix
    """,
    """
    INSERT INTO gates (account, state, reason, since, pause, balance, balance_at, until, trips, why, forced_open)
    SELECT provider, state, reason, since, episode, balance, balance_at, until, trips, why, held_open FROM old_gates
    """,
    "INSERT INTO limits (account, state) SELECT provider, state FROM old_limits",
    "ALTER TABLE episodes RENAME TO incidents",
    "ALTER TABLE incidents RENAME COLUMN told_at TO notified_at",
)

_STATISTICS = (
    ("items", "items", "1000000 1000000 1"),
    ("items", "items_by_state", "1000000 1000000 100000 300 1"),
    ("items", "items_by_stem", "1000000 1000000 1"),
    ("items", "items_by_absence", "10000 10000 1"),
    ("items", "items_by_purchase", "100000 100000 1"),
    ("items", "items_by_claim", "1000 20"),
    ("publications", "publications", "1000000 1000000 1 1"),
    ("publications", "publications_by_purchase", "1000000 1000000 1"),
    ("publications", "publications_by_output", "1000000 1000000 1"),
)
