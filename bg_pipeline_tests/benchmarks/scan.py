"""
A catalogue in a folder in which nothing has changed: this scan, a bare walk, and rclone, side by side.

    python -m bg_pipeline_tests.benchmarks.scan [--files 1000000] [--folder DIR]

Needs about 5 GB of inodes and disk for a million files, all removed at the end; rclone is left out if it is not there.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bg_pipeline.pipeline.detect import scan
from bg_pipeline.stores.file.source import FolderSource
from bg_pipeline_tests.benchmarks.measuring import make_tree, measured, pipeline_over
from bg_pipeline_tests.benchmarks.tables import compare

_PER_FOLDER = 1000


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


def listing(root: Path) -> int:
    """The source by itself, without manifest."""
    return sum(1 for _ in FolderSource(root).list())


def look(url: str, root: Path) -> tuple[int, int]:
    """One scan; returns how many it listed and how many it hashed."""
    pipeline = pipeline_over(url, root, root)
    found = scan(pipeline.catalogue, pipeline.policy, pipeline.run)
    return found.listed, found.hashed


def rclone(root: Path, copy: Path) -> None:
    """The same question put to rclone, which compares two trees."""
    subprocess.run(["rclone", "sync", "--dry-run", "--quiet", root, copy], check=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--files", type=int, default=1_000_000)
    asked.add_argument("--folder", type=Path, help="where to make them; default: the folder for temporary files")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        root, copy, url = Path(made) / "images", Path(made) / "copy", f"sqlite:///{made}/manifest.db"
        make_tree(root, options.files // _PER_FOLDER, _PER_FOLDER)
        first = measured(look, url, root)
        print(f"first scan, all hashed   {first.seconds:7.1f} s  {first.rss_mb:5.0f} MB  {first.result}")
        # What was written within the last seconds is hashed once more: that is not what is measured here.
        measured(look, url, root)
        base, ours = measured(walk, root, times=3), measured(look, url, root, times=3)
        for name, run in (
            ("bare scandir and stat", base),
            ("source alone", measured(listing, root, times=3)),
            ("scan, nothing changed", ours),
        ):
            ratio, cpu = run.seconds / base.seconds, run.cpu_s / base.cpu_s
            print(
                f"{name:24} {run.seconds:7.2f} s {ratio:5.2f} x   CPU {run.cpu_s:6.2f} s {cpu:5.2f} x   "
                f"{run.rss_mb:4.0f} MB  {run.result}",
                flush=True,
            )
        what = f"scan of {options.files:,} unchanged files"
        compare(what, "s", ours.seconds, "bare scandir and stat", base.seconds)
        if shutil.which("rclone"):
            subprocess.run(["cp", "-al", root, copy], check=True)
            run = measured(rclone, root, copy)
            compare(what, "s", ours.seconds, "rclone sync --dry-run", run.seconds)
            print(f"{'rclone sync --dry-run':24} {run.seconds:7.2f} s {run.seconds / base.seconds:5.2f} x")


if __name__ == "__main__":
    main()
