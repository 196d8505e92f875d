"""Time and memory of a function, each run in a process of its own."""

import dataclasses
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bg_pipeline.manifest.control import SqlControl
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.items import SqlManifest
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.outputs.folder import FolderStore
from bg_pipeline.sources.folder import FolderSource
from bg_pipeline.steps.parts import Parts
from bg_pipeline_tests.graph import Graph


class Run(NamedTuple):
    """What one run took, and what it returned."""

    seconds: float
    cpu_s: float
    """Of this process, user and system: what a busy machine changes least."""
    rss_mb: float
    result: Any


def measured(function: Callable[..., Any], *args: object, times: int = 1) -> Run:
    """The fastest of several runs: whatever else the machine does only ever adds to them."""
    context = multiprocessing.get_context("spawn")
    runs = []
    for _ in range(times):
        with context.Pool(1) as pool:
            runs.append(pool.apply(_run, (function, args)))
    return min(runs)


def _run(function: Callable[..., Any], args: tuple[object, ...]) -> Run:
    started, started_cpu = time.perf_counter(), time.process_time()
    result = function(*args)
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - started_cpu
    return Run(seconds, cpu_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, result)


def parts_over(url: str, images: Path, cutouts: Path) -> Parts:
    """The real source, store and manifest; what is not measured is fake."""
    database = Database(url)
    return dataclasses.replace(
        Graph().parts,
        source=FolderSource(images),
        outputs=FolderStore(cutouts),
        manifest=SqlManifest(database),
        ledger=SqlLedger(database),
        control=SqlControl(database),
        now=time.time,
    )


def make_tree(root: Path, folders: int, files: int, data: bytes = b"") -> None:
    """`folders` × `files` small files."""
    for folder in range(folders):
        here = root / f"{folder:05}"
        here.mkdir(parents=True)
        for number in range(files):
            (here / f"{number:04}.png").write_bytes(data)
