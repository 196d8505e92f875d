"""
The whole pipeline against a service that takes two seconds an image and eight at a time.

    python -m bg_pipeline_tests.benchmarks throughput [--fresh]

Ideal is images × latency ÷ slots: no slot is ever empty. A small sync goes before, as on every night but the first, so
that the account's limits are known; `--fresh` leaves it out. The first round then has five in flight instead of eight,
which costs about one latency.
"""

import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from bg_pipeline.core.credits import Budget
from bg_pipeline.pipeline.night import SyncResult, sync
from bg_pipeline.ports.context import RunName
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import Limits, SandboxState
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import Settings, compose
from bg_pipeline_tests.benchmarks.tables import compare, show, verdict
from bg_pipeline_tests.pictures import cut_middle, product

IMAGES = 400
LATENCY_S = 2.0
SLOTS = 8
MAX_RATIO = 1.03


def main(arguments: Sequence[str]) -> bool:
    """Whether the sync took no longer than the line allows."""
    ideal_s = IMAGES * LATENCY_S / SLOTS
    state = SandboxState({"bgeraser": Decimal(10 * IMAGES)}, latency_s=LATENCY_S, limits=Limits(concurrent=SLOTS))
    with tempfile.TemporaryDirectory() as folder, running_sandbox(state, cut_middle) as sandbox:
        home = Path(folder)
        settings = compose(
            RawSettings(
                {
                    "bg_source": str(home / "images"),
                    "bg_output": str(home / "cutouts"),
                    "bg_masters": str(home / "masters"),
                    "bg_state": f"sqlite:///{home}/manifest.db",
                    "bg_provider": "bgeraser",
                    "bgeraser_api_key": "key",
                    "bgeraser_base_url": sandbox.base_url,
                    "bg_concurrency": SLOTS,
                }
            )
        )
        if "--fresh" not in arguments:
            _sync(settings, home / "images" / "boots", range(IMAGES, IMAGES + 3 * SLOTS))
        synced, took_s = _sync(settings, home / "images" / "shoes", range(IMAGES))
    summary, ratio = synced.work.summary, took_s / ideal_s
    met = ratio <= MAX_RATIO and summary.published == summary.purchases == IMAGES
    show(
        ["whole sync", "published", "seconds", "ideal", "ratio", ""],
        [
            [
                f"{IMAGES} images, {LATENCY_S:.1f} s, {SLOTS} slots",
                str(summary.published),
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


def _sync(settings: Settings, folder: Path, shades: range) -> tuple[SyncResult, float]:
    """One sync, after new pictures came into the catalogue, and the seconds it took."""
    folder.mkdir(parents=True)
    for shade in shades:
        (folder / f"{shade:03}.png").write_bytes(product(shade, (1000, 800)))
    name = RunName("a benchmark", "sync", "a benchmark")
    with open_pipeline(settings, name) as pipeline:
        started = time.monotonic()
        return sync(pipeline, Budget(name.run_id)), time.monotonic() - started
