"""The database: from nothing to now, and from every earlier version with data in it."""

import gc
import itertools
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, make_url, text

from bg_pipeline.core.recipe import work_id
from bg_pipeline.errors import ConfigurationError, StateError
from bg_pipeline.manifest import migrations
from bg_pipeline.manifest.control import SqlControl
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.items import SqlManifest
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.schema import VERSION, metadata

CONFIG = Config()
CONFIG.set_main_option("script_location", str(Path(migrations.__file__).parent))
VERSIONS = [script.revision for script in ScriptDirectory.from_config(CONFIG).walk_revisions()][::-1]
"""Oldest first; a new migration is tested without a word about it here."""

MEANT = {
    ("items", "state"): "published",
    ("items", "reason"): "new",
    ("attempts", "state"): "charged",
    ("gates", "state"): "closed",
    ("gates", "reason"): "low_credits",
}
"""Columns in which not every text makes sense."""


def test_the_schema_names_the_newest_migration() -> None:
    assert VERSIONS[-1] == VERSION


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/manifest.db"
    server = sa.make_url(request.getfixturevalue("postgres_url"))
    name = f"migrations_{uuid.uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


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


def assert_as_the_code_wants_it(database: Database) -> None:
    with database.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_every_earlier_version_is_brought_up_with_its_rows_intact(url: str, version: str) -> None:
    built(url, version)
    before = picture(url)
    database = Database(url)
    assert_as_the_code_wants_it(database)
    after = picture(url)

    assert after.pop("alembic_version") == [{"version_num": VERSIONS[-1]}]
    for table, rows in before.items():
        if table != "alembic_version":
            kept = [{name: row[name] for name in old} for old, row in zip(rows, after[table], strict=True)]
            assert kept == rows, table
    entries = list(SqlManifest(database).entries())
    assert [(e.key, e.published is not None) for e in entries] == [("key/\udcff1", True), ("key/\udcff2", True)]
    assert SqlLedger(database).master("work_id1") is not None
    assert len(SqlLedger(database).attempts("work_id2")) == 1
    assert not SqlControl(database).gate("provider1").is_open
    assert SqlControl(database).syncs("kind1") == [(1.5, {"published": 1})]
    database.close()


@pytest.mark.parametrize("version", [None, *VERSIONS[:-1]])
def test_a_migration_that_dies_at_any_statement_leaves_the_old_version_as_it_was(url: str, version: str | None) -> None:
    if version:
        built(url, version)
    before = picture(url)
    for survived in itertools.count():
        try:
            with dying_after(survived):
                database = Database(url)
        except Killed:
            assert picture(url) == before
        else:
            break

    assert survived > 3
    assert_as_the_code_wants_it(database)
    database.close()


class Killed(BaseException):
    """Stands for a process that ends here."""


@contextmanager
def dying_after(statements: int) -> Iterator[None]:
    """Every change but the first so many kills whoever wants to make it."""
    left = itertools.count(statements, -1)

    def before(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.lstrip().startswith(("CREATE", "ALTER", "INSERT", "UPDATE", "DELETE", "DROP")) and not next(left):
            raise Killed

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)
        with warnings.catch_warnings():
            # A process that is killed closes nothing; here what it left open would be found in another test.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_an_sqlite_database_is_copied_before_it_is_migrated(tmp_path: Path, version: str) -> None:
    url = f"sqlite:///{tmp_path}/manifest.db"
    built(url, version)
    before = picture(url)
    Database(url).close()

    copy = tmp_path / f"manifest.db.before-{VERSIONS[-1]}"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert picture(f"sqlite:///{copy}") == before


def test_a_new_database_and_one_of_now_are_not_copied(tmp_path: Path) -> None:
    for _ in range(2):
        Database(f"sqlite:///{tmp_path}/manifest.db").close()

    assert [path.name for path in tmp_path.iterdir()] == ["manifest.db"]


def test_no_copy_no_migration(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/manifest.db"
    built(url, VERSIONS[0])
    before = picture(url)
    (tmp_path / f"manifest.db.before-{VERSIONS[-1]}").mkdir()

    with pytest.raises(StateError, match="could not be made"):
        Database(url)
    assert picture(url) == before


def test_the_migrations_lead_to_the_tables_that_the_code_uses(url: str) -> None:
    database = Database(url)
    with database.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
    database.close()


def _of_version(url: str, version: str) -> str:
    """A database as an earlier version left it; returns its URL."""
    made = make_url(url)
    if made.get_backend_name() == "postgresql":
        server = create_engine(url, isolation_level="AUTOCOMMIT")
        with server.connect() as conn:
            conn.execute(text(f"DROP DATABASE IF EXISTS version_{version}"))
            conn.execute(text(f"CREATE DATABASE version_{version}"))
        server.dispose()
        made = made.set(database=f"version_{version}")
    else:
        Path(str(made.database)).parent.mkdir(parents=True)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(made)
    with engine.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, version)
    engine.dispose()
    return made.render_as_string(hide_password=False)


def test_what_was_published_before_0003_is_still_as_published_and_nothing_is_taken_for_long_gone(url: str) -> None:
    """Taken for changed, the whole catalogue would be rendered anew; taken for long gone, cutouts would go."""
    url = _of_version(url, "0002")
    engine = create_engine(url)
    insert = text(
        "INSERT INTO items (key, collection, state, changed_at, absent, content_hash, published_work_id, "
        "published_cut_hash, output_name) VALUES (:key, :key, 'published', 1.0, :absent, :content, :work, 'cut', :key)"
    )
    rows = [
        {"key": b"changed", "content": "2", "work": work_id("1", "cut"), "absent": False},
        {"key": b"gone", "content": "1", "work": work_id("1", "cut"), "absent": True},
        {"key": b"new", "content": "1", "work": "", "absent": False},
        {"key": b"same", "content": "1", "work": work_id("1", "cut"), "absent": False},
    ]
    with engine.begin() as conn:
        conn.execute(insert, rows)
    engine.dispose()
    before = time.time()
    database = Database(url)
    entries = {e.key: e for e in SqlManifest(database).entries()}
    database.close()

    assert {key: e.published.content_hash for key, e in entries.items() if e.published} == {
        "changed": "",
        "gone": "1",
        "same": "1",
    }
    assert entries["same"].absent_since is None
    assert (entries["gone"].absent_since or 0.0) >= before


def test_opening_a_database_again_changes_nothing(url: str) -> None:
    for _ in range(2):
        Database(url).close()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/manifest.db"
    database = Database(url)
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(StateError, match="newer bg-pipeline"):
        Database(url)


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "oracle+odd://host/db"])
def test_a_url_that_cannot_be_used_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="BG_STATE"):
        Database(url)


def test_a_server_that_cannot_be_reached_is_named_without_its_password() -> None:
    with pytest.raises(StateError) as caught:
        Database("postgresql+psycopg://me:hunter2@127.0.0.1:1/db")
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "manifest.db"
    file.write_bytes(b"this is a photograph, not a database" * 100)

    with pytest.raises(StateError, match="not a database"):
        Database(f"sqlite:///{file}")
    assert file.read_bytes().startswith(b"this is a photograph")


def test_looking_up_works_and_names_goes_by_their_index_and_never_through_the_whole_catalogue(tmp_path: Path) -> None:
    """Asked for in hundreds of parts, anything else takes the square of the catalogue's size."""
    database = Database(f"sqlite:///{tmp_path}/manifest.db")
    asked: list[tuple[str, object]] = []
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda _conn, _cursor, statement, parameters, *_more: asked.append((statement, parameters)),
    )
    manifest = SqlManifest(database)
    manifest.carriers(["w"])
    manifest.taken(["a"])
    manifest.some(["a.jpg"])
    manifest.on_show("a.png")
    queries = [(statement, parameters) for statement, parameters in asked if "FROM items" in statement]
    with database.read() as conn:
        plans = [str(conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", p).all()) for s, p in queries]
    database.close()

    assert len(plans) == 4
    for plan in plans:
        assert "SCAN" not in plan
        assert "items_by_state" not in plan
