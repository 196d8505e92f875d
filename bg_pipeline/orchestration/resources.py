"""What an asset needs to call a step: the object graph, and errors that an operator can read."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg

from bg_pipeline.config import load_settings
from bg_pipeline.core.credits import Budget
from bg_pipeline.errors import BgPipelineError
from bg_pipeline.steps.parts import Parts, leased
from bg_pipeline.wiring import opened

WAVE, EPISODE = "bg_pipeline/wave", "bg_pipeline/episode"
"""Tags: which detection's work a run does, and how many pauses there were when it was asked for."""

EVERYTHING = "everything"
"""In the facts of a logged "process": it did all that was pending, so its end tells of the whole wave."""


class PipelineResource(dg.ConfigurableResource):
    """
    The pipeline as its settings describe it.

    It has no fields on purpose: run config is stored in clear, and settings hold keys.
    """

    @contextmanager
    def open(self, run_id: str = "") -> Iterator[Parts]:
        """
        The parts; a foreseeable error ends the step in one sentence, and is not retried by Dagster.

        A step that gives its run's id shows that it lives, by a lease. What ends a step early, such as a person who
        terminates its run, sets `stop`: what is in flight is finished and kept, and nobody sleeps on.
        """
        stop = threading.Event()
        try:
            with opened(load_settings(), stop) as parts, alive(parts, run_id):
                try:
                    yield parts
                except BaseException:
                    stop.set()
                    raise
        except BgPipelineError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error

    def budget(self, run: str, cap: float | None = None) -> Budget:
        """What all that spends under this name may spend together; without a cap of its own, what the settings say."""
        return Budget(run, load_settings().bg_max_credits_per_run if cap is None else Decimal(str(cap)))


def spender(run: dg.DagsterRun) -> str:
    """The name that a run spends under: a night's runs, or a backfill's, share one, and with it their cap."""
    return run.tags.get(WAVE) or run.tags.get("dagster/backfill") or run.run_id


def alive(parts: Parts, run_id: str) -> AbstractContextManager[object]:
    """For as long as it is entered, others see that this run's process is there: its status does not tell."""
    return leased(parts, sign_of_life(run_id), owner_of(run_id)) if run_id else nullcontext()


def sign_of_life(run_id: str) -> str:
    """The lease that a run holds while it works."""
    return f"run {run_id}"


def owner_of(run_id: str) -> str:
    """Who holds a lease, as whoever finds it taken reads it."""
    return f"Dagster run {run_id[:8]} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


class LogProgress:
    """Progress as a few log lines, so that the event log does not grow with the catalogue."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log = log
        self._what, self._total, self._count, self._since = "", 0, 0, 0.0

    def start(self, what: str, total: int | None) -> None:
        self._what, self._total, self._count, self._since = what, total or 0, 0, time.monotonic()
        self._log.info(f"{what}: {total} items" if total is not None else what)

    def step(self, count: int = 1) -> None:
        before = self._count
        self._count += count
        tenth = max(1, math.ceil(self._total / 10))
        if self._total and before // tenth != self._count // tenth:
            self._log.info(f"{self._what}: {self._count} of {self._total}")

    def done(self) -> None:
        self._log.info(f"{self._what}: {self._count} in {time.monotonic() - self._since:.1f} s")
