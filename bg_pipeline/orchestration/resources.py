"""What an asset needs to call a step: the object graph, and errors that an operator can read."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg

from bg_pipeline.core.credits import Budget
from bg_pipeline.errors import BgPipelineError, PaidResultLost, StateError, StoreError
from bg_pipeline.ports.catalogue import Leases
from bg_pipeline.ports.context import Pipeline, RunName, leased
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings

DELTA, PAUSE = "bg_pipeline/delta", "bg_pipeline/pause"
"""Tags: which detection's work a run does, and how many pauses there were when it was requested."""

ERROR = "error"
"""In the metadata of a failure: the class of the error, which decisions look at."""

RETRY = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL)
"""
For a store or a database that is away for a moment, which the pipeline does not wait for itself.

A step that begins again finds on record what was bought, and spends under the same name, so under the same cap. The
waits are shorter than `lost_runs` is patient. Requested for such an error, and not put on the assets: there Dagster
obeys it for an interrupt too, so that a run which a person terminates would begin again, and spend.
"""


class PipelineResource(dg.ConfigurableResource):
    """
    The pipeline as its settings describe it.

    It has no fields on purpose: run config is stored in clear, and settings hold keys.
    """

    @contextmanager
    def open(self, step: dg.OpExecutionContext | dg.AssetExecutionContext | None = None) -> Iterator[Pipeline]:
        """
        Open the pipeline; a foreseeable error ends the step in one sentence.

        A step shows that it lives, by a lease. What ends it early, such as a person who terminates its run, sets
        `stop`: what is in flight is finished and kept, and no worker sleeps on.

        Args:
            step: its name goes into the log and on claims; None where nothing is logged or claimed.

        Raises:
            RetryRequested: it may be over soon.
            Failure: it is not, or was not.
        """
        stop = threading.Event()
        name = RunName(step.run.run_id, step.run.job_name, owner_of(step.run.run_id)) if step else RunName()
        progress = LogProgress(step.log) if step else None
        try:
            with (
                open_pipeline(load_settings(), name, stop, progress) as pipeline,
                sign_of_life(pipeline.catalogue.leases, name.run_id),
            ):
                try:
                    yield pipeline
                except BaseException:
                    stop.set()
                    raise
        except BgPipelineError as error:
            if step and _may_be_over_soon(error) and step.retry_number < RETRY.max_retries:
                wait_s = RETRY.calculate_delay(step.retry_number + 1)
                step.log.warning("%s; the step begins again in %.0f s", error, wait_s)
                raise dg.RetryRequested(RETRY.max_retries, wait_s) from error
            failure = dg.Failure(str(error), metadata={ERROR: type(error).__name__}, allow_retries=False)
            raise failure from error

    def budget(self, run: dg.DagsterRun, cap: float | None = None) -> Budget:
        """
        What a run may spend, with all that spend under its name.

        Args:
            run: a night's runs, or a backfill's, share one name, and with it their cap.
            cap: lowers BG_MAX_CREDITS_PER_RUN, never raises it.
        """
        name = run.tags.get(DELTA) or run.tags.get("dagster/backfill") or run.run_id
        caps = [load_settings().purchasing.max_credits_per_run, None if cap is None else Decimal(str(cap))]
        return Budget(name, min((each for each in caps if each is not None), default=None))


def _may_be_over_soon(error: BgPipelineError) -> bool:
    return isinstance(error, StoreError | StateError) and not isinstance(error, PaidResultLost)


def sign_of_life(leases: Leases, run_id: str) -> AbstractContextManager[object]:
    """For as long as it is entered, others see that this run's process is there: its status does not tell."""
    return leased(leases, life_of(run_id), owner_of(run_id)) if run_id else nullcontext()


def life_of(run_id: str) -> str:
    """The lease that a run holds while it works."""
    return f"run {run_id}"


def owner_of(run_id: str) -> str:
    """Who holds a lease or a claim, as others read it."""
    return f"Dagster run {run_id[:8]} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


class LogProgress:
    """Progress as a few log lines, so that the event log does not grow with the catalogue."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log = log
        self._what, self._total, self._count, self._since = "", 0, 0, 0.0

    def start(self, what: str, total: int | None) -> None:
        self._what, self._total, self._count, self._since = what, total or 0, 0, time.monotonic()
        self._log.info(f"{what}: {total} items" if total is not None else what)

    def advance(self, count: int = 1) -> None:
        before = self._count
        self._count += count
        tenth = max(1, math.ceil(self._total / 10))
        if self._total and before // tenth != self._count // tenth:
            self._log.info(f"{self._what}: {self._count} of {self._total}")

    def done(self) -> None:
        self._log.info(f"{self._what}: {self._count} in {time.monotonic() - self._since:.1f} s")
