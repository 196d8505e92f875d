"""
The same night by the command line and by Dagster, each on a new shop: one composition takes one time.

    python -m bg_pipeline_tests.benchmarks.one_night [--collections N] [--each N] [--latency S] [--slots N] [--times N]

The purchases are timed from the vendor's first charge to its last. A whole process also loads and records what the
other does not, so there the line is only that `sync` takes no longer. Turn by turn, the fastest of each counts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.benchmarks.tables import compare, show, verdict
from bg_pipeline_tests.deployment import BIN
from bg_pipeline_tests.pictures import cut_middle, product

SYNC = (str(BIN / "bg-pipeline"), "sync")
NIGHT = (sys.executable, "-m", "bg_pipeline.orchestration.night")
MAX_RATIO = 1.1


class Took(NamedTuple):
    """Seconds."""

    purchases: float
    process: float


def main() -> int:
    """0 if both ratios meet the line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--collections", type=int, default=24)
    options.add_argument("--each", type=int, default=1)
    options.add_argument("--latency", type=float, default=3.0)
    options.add_argument("--slots", type=int, default=8)
    options.add_argument("--times", type=int, default=3)
    asked = options.parse_args()
    turns = [(_one(SYNC, asked), _one(NIGHT, asked)) for _ in range(asked.times)]
    sync, night = (Took(*map(min, zip(*took, strict=True))) for took in zip(*turns, strict=True))
    purchases = max(sync.purchases, night.purchases) / min(sync.purchases, night.purchases)
    process = sync.process / night.process
    compare("first to last charge, Dagster's night", "s", night.purchases, "sync", sync.purchases)
    compare("whole process, Dagster's night", "s", night.process, "sync", sync.process)
    show(
        [
            f"{asked.collections} × {asked.each}, {asked.latency:.1f} s, {asked.slots} slots",
            "sync",
            "night",
            "ratio",
            "",
        ],
        [
            [
                "first to last charge, s",
                f"{sync.purchases:.2f}",
                f"{night.purchases:.2f}",
                f"{purchases:.2f}",
                verdict(purchases <= MAX_RATIO),
            ],
            [
                "whole process, s",
                f"{sync.process:.2f}",
                f"{night.process:.2f}",
                f"{process:.2f}",
                verdict(process <= MAX_RATIO),
            ],
        ],
    )
    print(f"line: the slower of both / the faster, and sync / night <= {MAX_RATIO}")
    return 0 if max(purchases, process) <= MAX_RATIO else 1


def _one(command: tuple[str, ...], asked: argparse.Namespace) -> Took:
    """One night on a new shop, with an account whose limits are not known yet."""
    images = asked.collections * asked.each
    vendor = SandboxState({"bgeraser": Decimal(10 * images + 1000)}, latency_s=asked.latency)
    with tempfile.TemporaryDirectory() as folder, running_sandbox(vendor, cut_middle) as sandbox:
        home = Path(folder)
        for number in range(images):
            file = home / "images" / f"c{number // asked.each:04}" / f"{number:05}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(product(number, (400, 300)))
        env = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "DAGSTER_HOME": str(home / "dagster"),
            "BG_PROVIDER": "bgeraser",
            "BGERASER_API_KEY": "any",
            "BGERASER_BASE_URL": sandbox.base_url,
            "BG_STABLE_S": "0",
            "BG_CONCURRENCY": str(asked.slots),
        }
        subprocess.run([sys.executable, "-m", "bg_pipeline.orchestration.home"], cwd=home, env=env, check=True)
        started = time.monotonic()
        done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False)
        took_s = time.monotonic() - started
        assert done.returncode == 0, done.stderr
        assert len(list(home.glob("cutouts/**/*.png"))) == images
    charged_at = [charge.time.timestamp() for charge in vendor.ledger.charges()]
    assert len(charged_at) == images
    return Took(max(charged_at) - min(charged_at), took_s)


if __name__ == "__main__":
    sys.exit(main())
