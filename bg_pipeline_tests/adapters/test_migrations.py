"""The database, from nothing to now."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from bg_pipeline.errors import ConfigurationError, StateError
from bg_pipeline.manifest.database import Database
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
