"""
Pictures a second over the slots that a service gives: whole syncs, beside the ideal of slots ÷ latency.

    python -m bg_pipeline_tests.benchmarks.slots [--latency 1.0] [--rounds 6]
"""

import argparse
import tempfile
from pathlib import Path

from bg_pipeline_tests.benchmarks.shop import synced
from bg_pipeline_tests.benchmarks.tables import compare, draw, show

_SLOTS = (1, 2, 4, 8, 16)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--latency", type=float, default=1.0)
    asked.add_argument("--rounds", type=int, default=6, help="pictures of each slot")
    options = asked.parse_args()
    ours, ideal = [], []
    for slots in _SLOTS:
        with tempfile.TemporaryDirectory() as folder:
            count = slots * options.rounds
            took_s = synced(Path(folder), items=0, pictures=count, latency_s=options.latency, slots=slots).seconds
        ours.append((slots, count / took_s))
        ideal.append((slots, slots / options.latency))
    show(
        ("slots", "pictures/s", "slots ÷ latency"),
        [(str(n), f"{had:.2f}", f"{most:.2f}") for (n, had), (_, most) in zip(ours, ideal, strict=True)],
    )
    draw("slots", "A whole sync", "slots", "pictures/s", {"bg_pipeline": ours, "slots ÷ latency": ideal})
    compare(f"sync at {_SLOTS[-1]} slots", "pictures/s", ours[-1][1], "slots ÷ latency", ideal[-1][1])


if __name__ == "__main__":
    main()
