"""
The first scan of a catalogue against the least that it could take: two threads that hash the same files.

    python -m bg_pipeline_tests.benchmarks.hashing [--files 2000] [--megabytes 1] [--folder DIR]
"""

import argparse
import hashlib
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bg_pipeline.manifest.database import Database
from bg_pipeline.pipeline.detect import scan
from bg_pipeline_tests.benchmarks.measuring import measured, pipeline_over
from bg_pipeline_tests.benchmarks.tables import compare, verdict

MIN_SHARE = 0.8
_TIMES = 5


def bare(root: Path) -> None:
    """Two threads, nothing else."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda path: hashlib.sha256(path.read_bytes()).hexdigest(), sorted(root.rglob("*.png"))))


def new_manifest(root: Path, number: int) -> str:
    """An empty one: to make its tables takes as long whatever the catalogue."""
    url = f"sqlite:///{root.parent}/{number}.db"
    Database(url).close()
    return url


def first_scan(root: Path, url: str) -> int:
    """Into a manifest that knows nothing yet."""
    pipeline = pipeline_over(url, root, root)
    return scan(pipeline.catalogue, pipeline.policy, pipeline.run).hashed


def main() -> bool:
    """Whether the scan met its line."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--files", type=int, default=2000)
    asked.add_argument("--megabytes", type=int, default=1)
    asked.add_argument("--folder", type=Path, help="where to make them; default: the folder for temporary files")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        root = Path(made) / "images"
        for number in range(options.files):
            file = root / f"{number % 20:02}" / f"{number:06}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(options.megabytes * 2**20 - 8))
        # Turn by turn, so that what else the machine does falls on both.
        runs = [
            (measured(bare, root), measured(first_scan, root, new_manifest(root, number))) for number in range(_TIMES)
        ]
        least, ours = (min(pair[side] for pair in runs) for side in (0, 1))
        total = options.files * options.megabytes
        print(f"two threads of sha256  {least.seconds:6.2f} s  {total / least.seconds:6.0f} MB/s")
        print(f"first scan             {ours.seconds:6.2f} s  {total / ours.seconds:6.0f} MB/s  {ours.rss_mb:4.0f} MB")
        least_mb, our_mb = total / least.seconds, total / ours.seconds
        compare("first scan, hashing", "MB/s", our_mb, "two threads of hashlib.sha256", least_mb)
        share = least.seconds / ours.seconds
        print(f"reaches {share:.0%}; line: >= {MIN_SHARE:.0%}: {verdict(share >= MIN_SHARE)}")
    return share >= MIN_SHARE


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
