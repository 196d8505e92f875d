"""MariaDB, from Debian's packages: a database that neither sorts nor compares text by its bytes."""

import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_S = 90


def is_installed() -> bool:
    return all(shutil.which(name) for name in ("mariadbd", "mariadb-install-db", "mariadb-admin"))


@contextmanager
def mariadb() -> Iterator[str]:
    """URL of a running server, as its administrator; all it stores is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="bgp-mariadb-") as folder, (Path(folder) / "out").open("wb") as out:
        data, sock, port = f"--datadir={folder}/data", f"--socket={folder}/sock", _free_port()
        user = f"--user={getpass.getuser()}"
        made = ["mariadb-install-db", "--no-defaults", data, user, "--auth-root-authentication-method=normal"]
        subprocess.run(made, check=True, timeout=_START_S, stdout=out, stderr=out)
        server = subprocess.Popen(
            [
                *("mariadbd", "--no-defaults", data, sock, user, f"--port={port}", "--bind-address=127.0.0.1"),
                *("--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"),
                # Debian's own defaults.
                *("--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"),
            ],
            stdout=out,
            stderr=out,
        )
        try:
            _wait(sock, Path(folder))
            yield f"mysql+pymysql://root@127.0.0.1:{port}/mysql"
        finally:
            server.kill()
            server.wait()


def _wait(sock: str, folder: Path) -> None:
    ping = ["mariadb-admin", "--no-defaults", "--user=root", sock, "ping"]
    ends_at = time.monotonic() + _START_S
    while time.monotonic() < ends_at:
        if not subprocess.run(ping, capture_output=True, timeout=_START_S, check=False).returncode:
            return
        time.sleep(0.1)
    raise AssertionError(f"MariaDB did not come up: {(folder / 'out').read_text()[-500:]}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
