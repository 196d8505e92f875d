"""Databases as earlier versions left them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from bg_pipeline.manifest import migrations

CONFIG = Config()
CONFIG.set_main_option("script_location", str(Path(migrations.__file__).parent))
VERSIONS = [script.revision for script in ScriptDirectory.from_config(CONFIG).walk_revisions()][::-1]
"""Oldest first; a new migration is tested without a word about it here."""


MEANT = {
    ("items", "state"): "published",
    ("items", "reason"): "new",
    ("attempts", "state"): "charged",
    ("attempts", "use"): "alpha",
    ("purchases", "use"): "picture",
    ("gates", "state"): "closed",
    ("gates", "reason"): "low_credits",
}
"""Columns in which not every text makes sense."""


@contextmanager
def plain(url: str) -> Iterator[sa.Connection]:
    """A transaction that knows nothing of our code."""
    made = sa.make_url(url)
    if made.get_backend_name() == "sqlite":
        Path(str(made.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(made)
    with engine.begin() as conn:
        yield conn
    engine.dispose()


def built(url: str, version: str) -> None:
    """A database as that version left it, with two rows in every table."""
    with plain(url) as conn:
        CONFIG.attributes["connection"] = conn
        command.upgrade(CONFIG, version)
        for table in tables(conn):
            if table.name != "alembic_version":
                conn.execute(table.delete())
                conn.execute(table.insert(), [{c.name: value(table.name, c, n) for c in table.c} for n in (1, 2)])


def tables(conn: sa.Connection) -> list[sa.Table]:
    found = sa.MetaData()
    found.reflect(conn)
    return found.sorted_tables


def value(table: str, column: sa.Column[Any], number: int) -> object:
    by_type: dict[type, object] = {
        bytes: f"{column.name}/".encode() + bytes([0xFF, 0x30 + number]),
        object: {"published": number},  # JSON
        bool: number == 2,
        float: number + 0.5,
        int: number,
        str: MEANT.get((table, column.name), f"{column.name}{number}"),
    }
    return by_type[column.type.python_type]


def picture(url: str) -> dict[str, list[dict[str, object]]]:
    """Everything in a database: rows by table, values by column."""
    with plain(url) as conn:
        return {
            table.name: [dict(row._mapping) for row in conn.execute(sa.select(table).order_by(*table.primary_key))]
            for table in tables(conn)
        }


def filled(url: str, version: str, **rows: list[dict[str, object]]) -> str:
    """A database as that version left it, with these rows by table; returns its URL."""
    with plain(url) as conn:
        CONFIG.attributes["connection"] = conn
        command.upgrade(CONFIG, version)
        for table in tables(conn):
            if table.name in rows:
                conn.execute(table.insert(), rows[table.name])
    return url
