"""
One look at the catalogue that the settings name, beside the manifest: what every night begins with.

    python -m bg_pipeline_tests.benchmarks.look

A module of its own, so that the process that is timed loads nothing but what a sync loads.
"""

import time

from bg_pipeline.config import load_settings
from bg_pipeline.ports import Silent
from bg_pipeline.steps.detect import scan
from bg_pipeline.wiring import opened


def main() -> None:
    started = time.perf_counter()
    with opened(load_settings()) as parts:
        found = scan(parts, "a benchmark", Silent())
    print(f"{found.listed} listed, {found.hashed} hashed, {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
