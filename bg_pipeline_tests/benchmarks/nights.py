"""
Nights through real Dagster processes, against what they could take at best.

    python -m bg_pipeline_tests.benchmarks.nights [--collections N] [--each N] [--latency S] [--slots N] [--backfill]

The ideal is images × latency / slots: nothing but waiting for the vendor. Prints one line of a Markdown table.
"""

import argparse
import resource
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.benchmarks.tables import compare
from bg_pipeline_tests.deployment import Deployment, deployed, descendants
from bg_pipeline_tests.pictures import product


class Cpu:
    """CPU seconds of every process of the deployment, by what it is; sampled, since processes end."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._seen: dict[int, tuple[str, float]] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        tick = 1 / 100
        while not self._done.wait(0.5):
            found: dict[int, str] = {}
            for name, process in self._deployment.processes.items():
                found |= {process.pid: name} | descendants(process.pid)
            for pid, command in found.items():
                try:
                    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                self._seen[pid] = (command, (int(fields[11]) + int(fields[12])) * tick)

    def stop(self) -> dict[str, float]:
        self._done.set()
        self._thread.join()
        total = {"webserver": 0.0, "daemon": 0.0, "code servers": 0.0, "runs": 0.0}
        for command, seconds in self._seen.values():
            if command in total:
                total[command] += seconds
            elif "api grpc" in command:
                total["code servers"] += seconds
            else:
                total["runs"] += seconds
        return total


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--collections", type=int, default=300)
    options.add_argument("--each", type=int, default=2)
    options.add_argument("--latency", type=float, default=2.0)
    options.add_argument("--slots", type=int, default=8)
    options.add_argument("--backfill", action="store_true", help="launch a backfill instead of waiting for the sensor")
    options.add_argument("--size", type=int, default=400, help="longest side of a picture, px")
    asked = options.parse_args()
    images = asked.collections * asked.each
    home = Path(tempfile.mkdtemp(prefix="bg-pipeline-nights-"))
    vendor = SandboxState({"bgeraser": Decimal(10 * images + 1000)}, latency_s=asked.latency)
    with deployed(home, vendor=vendor, settings={"BG_CONCURRENCY": str(asked.slots)}) as made:
        _new_pictures(made, asked, range(asked.each))
        before = grown(home)
        cpu = Cpu(made)
        started = time.time()
        detected = made.launch("detect_delta")
        made.until("the delta is found", lambda: made.status(detected) == "SUCCESS", 600)
        found_at = time.time()
        if asked.backfill:
            made.backfill(*(f"c{c:04}" for c in range(asked.collections)))
        made.until("the first picture is bought", lambda: made.charges() > 0, 600)
        first = min(charge.time.timestamp() for charge in vendor.ledger.charges())
        made.until("all are published", lambda: len(made.outputs()) == images, 3600)
        ended = time.time()
        made.until("all runs are over", lambda: {r["status"] for r in made.runs()} == {"SUCCESS"}, 600)
        over = time.time()
        spent = cpu.stop()
        runs = len(made.runs())
        after = grown(home)
        idle = made.launch("detect_delta")
        made.until("the idle night is over", lambda: made.status(idle) == "SUCCESS", 600)
        made.until("all runs are over", lambda: {r["status"] for r in made.runs()} == {"SUCCESS"}, 600)
        idled = grown(home)
        # Once more, without what is made only once: names, partitions, snapshots.
        _new_pictures(made, asked, range(asked.each, 2 * asked.each))
        made.launch("detect_delta")
        made.until("all are published", lambda: len(made.outputs()) == 2 * images, 3600)
        made.until("all runs are over", lambda: {r["status"] for r in made.runs()} == {"SUCCESS"}, 600)
        second = grown(home).dagster - idled.dagster
    ideal = images * asked.latency / asked.slots
    # A charge is written down when the vendor answers.
    first_post = first - asked.latency - started
    what = f"a night of Dagster, {asked.collections} collections of {asked.each}, first POST to last cutout"
    compare(what, "s", ended - started - first_post, "images × latency ÷ slots", ideal)
    print(
        f"| {asked.collections} × {asked.each} | {'backfill' if asked.backfill else 'night'} | {ideal:.1f} "
        f"| {ended - started - first_post:.1f} | {(ended - started - first_post) / ideal:.2f} | {first_post:.1f} "
        f"| {found_at - started:.1f} | {over - started:.1f} | {runs} "
        f"| {after.dagster - before.dagster:.0f} | {idled.dagster - after.dagster:.0f} "
        f"| {second:.0f} | {second / images:.2f} "
        f"| {after.logs - before.logs:.0f} | {after.manifest - before.manifest:.0f} | "
        + " | ".join(f"{seconds:.1f}" for seconds in spent.values())
        + f" | {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.1f} |"
    )


def _new_pictures(made: Deployment, asked: argparse.Namespace, numbers: range) -> None:
    """So many in each collection."""
    for c in range(asked.collections):
        for n in numbers:
            shade = n * asked.collections + c
            made.put(f"c{c:04}/{n}.png", product(shade, (asked.size, asked.size * 3 // 4)))


class Kept(NamedTuple):
    """KB on disk."""

    dagster: float
    """Runs, events, ticks."""
    logs: float
    """What runs wrote to stdout and stderr."""
    manifest: float


def grown(home: Path) -> Kept:
    databases = {path: _size(path) for path in home.rglob("*.db")}
    manifest = sum(size for path, size in databases.items() if path.is_relative_to(home / ".bg_pipeline"))
    logs = sum(path.stat().st_size for path in home.glob("dagster/storage/*/compute_logs/*"))
    return Kept((sum(databases.values()) - manifest) / 1024, logs / 1024, manifest / 1024)


def _size(path: Path) -> int:
    """Bytes with those that are still in the journal."""
    with closing(sqlite3.connect(path)) as db:
        pages, size = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    return pages * size


if __name__ == "__main__":
    print(
        "| collections × images | by | ideal s | first POST to last cutout s | × ideal | start to first POST s "
        "| detection s | all s | runs | Dagster KB | of an idle night | of the next night | of it, an image "
        "| compute logs KB | manifest KB | CPU s: webserver | daemon | code servers | runs | sandbox |"
    )
    print("|" + "---|" * 20)
    main()
