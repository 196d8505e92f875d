"""
One look at the catalogue that the settings name, beside the manifest: what every night begins with.

    python -m bg_pipeline_tests.benchmarks.look

A module of its own, so that the process that is timed loads nothing but what a sync loads.
"""

import time

from bg_pipeline.pipeline.detect import scan
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings


def main() -> None:
    started = time.perf_counter()
    with open_pipeline(load_settings()) as pipeline:
        found = scan(pipeline.catalogue, pipeline.policy, pipeline.run)
    print(f"{found.listed} listed, {found.hashed} hashed, {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
