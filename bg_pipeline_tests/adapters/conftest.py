"""Fixtures of the adapters' tests."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import create_engine, text

from bg_pipeline_tests.adapters import server
from bg_pipeline_tests.adapters.databases import Database


@pytest.fixture
def vendor() -> Iterator[server.Vendor]:
    with server.vendor() as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[server.Vendor]:
    """Another host: another port is another origin."""
    with server.vendor() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/manifest.db"
    made = sa.make_url(request.getfixturevalue("postgres_url"))
    name = f"migrations_{uuid.uuid4().hex}"
    admin = sa.create_engine(made, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return made.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Runs statements on a fresh database and gives its URL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/shop.db"
    else:
        url = request.getfixturevalue({"postgresql": "postgres_url", "mariadb": "mariadb_url"}[request.param])
    binary = {"sqlite": "BLOB", "postgresql": "BYTEA", "mariadb": "LONGBLOB"}[request.param]
    cast = "BINARY" if request.param == "mariadb" else binary

    def run(*statements: str) -> str:
        engine = create_engine(url)
        with engine.begin() as conn:
            for statement in statements:
                conn.execute(text(statement.replace("AS BYTES", f"AS {cast}").replace("BYTES", binary)))
        engine.dispose()
        return url

    run("DROP TABLE IF EXISTS items")
    return run
