"""Time and memory of a function, each run in a process of its own."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.erasures import SqlErasures
from bg_pipeline.manifest.failures import SqlFailures
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.items import SqlItems
from bg_pipeline.manifest.leases import SqlLeases
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.previous import SqlPreviousOutputs, SqlReversions
from bg_pipeline.manifest.purchases import SqlPurchases
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline.manifest.retention import SqlRetention
from bg_pipeline.manifest.reviews import SqlReviews
from bg_pipeline.manifest.runlog import SqlRunLog
from bg_pipeline.manifest.trash import SqlTrash
from bg_pipeline.ports.context import Catalogue, Pipeline
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline.stores.file.source import FolderSource
from bg_pipeline_tests.graph import Graph


class Run(NamedTuple):
    """What one run took, and what it returned."""

    seconds: float
    cpu_s: float
    """Of this process, user and system: what a busy machine changes least."""
    rss_mb: float
    result: Any


def measured(function: Callable[..., Any], *args: object, times: int = 1, before: Sequence[object] = ()) -> Run:
    """
    The fastest of several runs: whatever else the machine does only ever adds to them.

    Args:
        function: called in a process of its own.
        args: its arguments.
        times: number of runs.
        before: arguments of a first call that is not measured, where a process lives on and loads its modules once.
    """
    context = multiprocessing.get_context("spawn")
    runs = []
    for _ in range(times):
        with context.Pool(1) as pool:
            if before:
                pool.apply(function, before)
            runs.append(pool.apply(_run, (function, args)))
    return min(runs)


def _run(function: Callable[..., Any], args: tuple[object, ...]) -> Run:
    started, started_cpu = time.perf_counter(), time.process_time()
    result = function(*args)
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - started_cpu
    return Run(seconds, cpu_s, _peak_mb(), result)


def _peak_mb() -> float:
    """Of this program alone: `ru_maxrss` is never below what the process had that started it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) / 1024


def pipeline_over(url: str, images: Path, cutouts: Path) -> Pipeline:
    """The real source, store and manifest; what is not measured is fake."""
    database, graph = Database(url), Graph()
    number = catalogue_id(database)
    return replace(
        graph.pipeline,
        catalogue=Catalogue(
            name="default",
            source=FolderSource(images),
            outputs=FolderStore(cutouts),
            observations=SqlObservations(database, number),
            deltas=SqlDeltas(database, number),
            queue=SqlWorkQueue(database, number),
            items=SqlItems(database, number),
            failures=SqlFailures(database, number),
            trash=SqlTrash(database, number),
            leases=SqlLeases(database, number),
            run_log=SqlRunLog(database, number),
            erasures=SqlErasures(database, number),
            reviews=SqlReviews(database, number),
            previous=SqlPreviousOutputs(database, number),
            reversions=SqlReversions(database, number),
        ),
        accounts=replace(
            graph.accounts,
            purchases=SqlPurchases(database),
            ledger=SqlLedger(database),
            gates=SqlGates(database),
            retention=SqlRetention(database),
        ),
        run=replace(graph.run, now=time.time),
    )


def make_tree(root: Path, folders: int, files: int, data: bytes = b"", ending: str = ".png") -> None:
    """`folders` × `files` small files."""
    for folder in range(folders):
        here = root / f"{folder:05}"
        here.mkdir(parents=True)
        for number in range(files):
            (here / f"{number:04}{ending}").write_bytes(data)
