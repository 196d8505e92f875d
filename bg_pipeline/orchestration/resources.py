"""What an asset needs to call a step: the object graph, and errors that an operator can read."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from bg_pipeline.config import load_settings
from bg_pipeline.core.credits import Budget
from bg_pipeline.errors import BgPipelineError
from bg_pipeline.steps.parts import Parts
from bg_pipeline.wiring import opened


class PipelineResource(dg.ConfigurableResource):
    """
    The pipeline as its settings describe it.

    It has no fields on purpose: run config is stored in clear, and settings hold keys.
    """

    @contextmanager
    def open(self) -> Iterator[Parts]:
        """The parts; a foreseeable error ends the step in one sentence, and is not retried by Dagster."""
        try:
            with opened(load_settings()) as parts:
                yield parts
        except BgPipelineError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error

    def budget(self, run: str) -> Budget:
        """What a run, or several that share its name, may spend."""
        return Budget(run, load_settings().bg_max_credits_per_run)


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
