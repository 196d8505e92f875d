"""What the database promises about a power cut."""

from pathlib import Path

from sqlalchemy import text

from bg_pipeline.manifest.database import Database

NORMAL, FULL = 1, 2


def test_a_write_that_need_not_be_durable_leaves_the_next_one_durable(tmp_path: Path) -> None:
    """The pool hands the same connection out again; money is written down through it."""
    database = Database(f"sqlite:///{tmp_path}/manifest.db")
    for durable, expected in ((True, FULL), (False, NORMAL), (True, FULL)):
        with database.write(durable=durable) as conn:
            assert conn.scalar(text("PRAGMA synchronous")) == expected
    with database.write() as conn:
        assert conn.scalar(text("PRAGMA synchronous")) == FULL
    database.close()
