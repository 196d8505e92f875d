"""Fixtures of the adapters' tests."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import text

from bg_pipeline_tests.adapters import server


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
