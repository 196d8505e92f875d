"""
The whole pipeline against a service that takes two seconds an image and eight at a time.

    python -m bg_pipeline_tests.benchmarks throughput [--fresh]

Ideal is images × latency ÷ slots: no slot is ever empty. A small sync goes before, as on every night but the first, so
that the account's limits are known; `--fresh` leaves it out. The first round then has five in flight instead of eight,
which costs about one latency.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bg_pipeline_tests.benchmarks.shop import synced
from bg_pipeline_tests.benchmarks.tables import compare, show, verdict

IMAGES = 400
LATENCY_S = 2.0
SLOTS = 8
MAX_RATIO = 1.03


def main(arguments: Sequence[str]) -> bool:
    """Whether the sync took no longer than the line allows."""
    ideal_s = IMAGES * LATENCY_S / SLOTS
    with tempfile.TemporaryDirectory() as folder:
        done = synced(
            Path(folder),
            items=0,
            pictures=IMAGES,
            latency_s=LATENCY_S,
            slots=SLOTS,
            limits_known="--fresh" not in arguments,
        )
    took_s, ratio = done.seconds, done.seconds / ideal_s
    met = ratio <= MAX_RATIO
    show(
        ["whole sync", "bought", "seconds", "ideal", "ratio", ""],
        [
            [
                f"{IMAGES} images, {LATENCY_S:.1f} s, {SLOTS} slots",
                str(done.purchases),
                f"{took_s:.1f}",
                f"{ideal_s:.1f}",
                f"{ratio:.3f}",
                verdict(met),
            ]
        ],
    )
    compare(f"sync of {IMAGES} images, {SLOTS} slots", "s", took_s, "images × latency ÷ slots", ideal_s)
    print(f"line: ratio <= {MAX_RATIO}")
    return met
