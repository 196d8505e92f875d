"""
A catalogue in a folder in which nothing has changed: a bare walk, this scan and plan, and rclone, side by side.

    python -m bg_pipeline_tests.benchmarks.scan [--files 1000000] [--per-folder 1000] [--state published] [--folder DIR]

Needs about 5 GB of inodes and disk for a million files, all removed at the end; rclone is left out if it is not there.
Its CPU time is not measured. The memory of each begins at that of a bare walk: the modules of this benchmark. With the
state `skipped` no file is a picture, with `failed` all are only called so; neither has an output.
"""

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.pipeline.detect import detect, plan, scan
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline_tests.benchmarks.measuring import make_tree, measured, pipeline_over
from bg_pipeline_tests.benchmarks.tables import compare
from bg_pipeline_tests.graph import RECIPE

_PART = "of it, "


def walk(root: Path) -> int:
    """The least that anybody can do: every name, every stat, nothing kept."""
    count = 0
    with os.scandir(root) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                count += walk(Path(entry.path))
            else:
                entry.stat(follow_symlinks=False)
                count += 1
    return count


def look(url: str, root: Path) -> tuple[int, int]:
    """One scan; returns how many it listed and how many it hashed."""
    pipeline = pipeline_over(url, root, root)
    found = scan(pipeline.catalogue, pipeline.policy, pipeline.run)
    return found.listed, found.hashed


def publish(url: str, cutouts: Path, folders: int, files: int) -> None:
    """Every item as if it was published, and an output of its name for each."""
    database, cut, rendition = Database(url), RECIPE.cut.digest, RECIPE.rendition.digest
    with database.write() as conn:
        raw: Any = conn.connection.driver_connection
        raw.execute("UPDATE items SET state = 'published', reason = 'new', purchase_id = 'p', stem = key")
        raw.execute(
            "INSERT INTO publications (catalogue_id, key, rendition, purchase_id, cut_digest, rendition_digest, "
            "content_hash, output_name, output_digest, published_at) SELECT catalogue_id, key, 'main', 'p', ?, ?, "
            "content_hash, key, content_hash, 1.0 FROM items ORDER BY key",
            (cut, rendition),
        )
    database.close()
    make_tree(cutouts, folders, files)


def settle(url: str, root: Path, cutouts: Path) -> None:
    """One scan, and its delta on record: what a night leaves behind, if it has nothing to do."""
    pipeline = pipeline_over(url, root, cutouts)
    scan(pipeline.catalogue, pipeline.policy, pipeline.run)
    detect(pipeline.catalogue, pipeline.accounts, pipeline.policy, pipeline.run)


def night(url: str, root: Path, cutouts: Path) -> tuple[int, int, dict[str, int]]:
    """One scan and the plan after it; returns how many it listed and hashed, and the items of each class."""
    pipeline = pipeline_over(url, root, cutouts)
    result = scan(pipeline.catalogue, pipeline.policy, pipeline.run)
    counts = plan(pipeline.catalogue, pipeline.accounts, pipeline.policy).counts
    return result.listed, result.hashed, {name: number for name, number in counts.items() if number}


def names(cutouts: Path) -> int:
    """A part of the plan: the names of all outputs."""
    return sum(1 for _ in FolderStore(cutouts).list())


def names_on_record(url: str) -> int:
    """A part of the plan: the same names as the database joins them; returns their bytes."""
    database = Database(url)
    return len(SqlDeltas(database, catalogue_id(database)).joined_names(b"", None))


def rclone(root: Path, copy: Path) -> str:
    """The same question put to rclone, which compares two trees; returns its memory."""
    subprocess.run(["rclone", "sync", "--dry-run", "--quiet", root, copy], check=True)
    return f"itself {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10} MB"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--files", type=int, default=1_000_000)
    asked.add_argument("--per-folder", type=int, default=1000, help="0 for all in one folder")
    asked.add_argument("--state", choices=["published", "skipped", "failed"], default="published")
    asked.add_argument("--folder", type=Path, help="where to make them; default: the folder for temporary files")
    options = asked.parse_args()
    files = options.per_folder or options.files
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        root, cutouts, copy = (Path(made) / name for name in ("images", "cutouts", "copy"))
        url, folders = f"sqlite:///{made}/manifest.db", options.files // files
        make_tree(root, folders, files, ending=".txt" if options.state == "skipped" else ".png")
        first = measured(look, url, root)
        print(f"first scan, all hashed   {first.seconds:7.1f} s  {first.rss_mb:5.0f} MB  {first.result}")
        if options.state == "published":
            publish(url, cutouts, folders, files)
        # What was written within the last seconds is hashed once more, and what a delta changed is judged once more:
        # that is not what is measured here.
        measured(settle, url, root, cutouts, times=3)
        base = measured(walk, root, times=3)
        both = "scan and plan"
        contestants = [
            ("bare scandir and stat", base),
            ("scan, nothing changed", measured(look, url, root, times=3)),
            (both, measured(night, url, root, cutouts, times=3)),
        ]
        if options.state == "published":
            contestants += [
                (f"{_PART}names of outputs", measured(names, cutouts, times=3)),
                (f"{_PART}names on record", measured(names_on_record, url, times=3)),
            ]
        if shutil.which("rclone"):
            subprocess.run(["cp", "-al", root, copy], check=True)
            contestants.append(("rclone sync --dry-run", measured(rclone, root, copy, times=3)))
        for name, run in contestants:
            ratio, cpu = run.seconds / base.seconds, run.cpu_s / base.cpu_s
            print(
                f"{name:24} {run.seconds:7.2f} s {ratio:5.2f} x   CPU {run.cpu_s:6.2f} s {cpu:5.2f} x   "
                f"{run.rss_mb:4.0f} MB  {run.result}",
                flush=True,
            )
        ours = dict(contestants).pop(both)
        for name, run in contestants:
            if run is not ours and not name.startswith(_PART):
                compare(
                    f"{both} of {options.files:,} unchanged {options.state} files", "s", ours.seconds, name, run.seconds
                )


if __name__ == "__main__":
    main()
