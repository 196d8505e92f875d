"""The database, from nothing to now."""

import time
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, event, make_url, text

from bg_pipeline.core.recipe import work_id
from bg_pipeline.errors import ConfigurationError, StateError
from bg_pipeline.manifest import migrations
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.items import SqlManifest
from bg_pipeline.manifest.schema import metadata


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/manifest.db"
    made: str = request.getfixturevalue("postgres_url")
    return made


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
