"""The opener of a catalogue, through which assets call use cases: it opens the pipeline and makes errors readable."""

import logging
import math
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import dagster as dg

from bg_pipeline.core.alerts import AlertCheck
from bg_pipeline.core.claims import lease_of_step
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.night_window import Night
from bg_pipeline.errors import (
    BgPipelineError,
    ConfigurationError,
    LeaseHeld,
    PaidResultLost,
    StateError,
    Stopped,
    StoreError,
)
from bg_pipeline.orchestration.executor import executor_of
from bg_pipeline.orchestration.names import Names
from bg_pipeline.orchestration.schedule import valid_schedule
from bg_pipeline.pipeline.settings import ExecutorSettings, ScheduleSettings
from bg_pipeline.ports.context import Monitor, Pipeline, RunName, leased, stoppable
from bg_pipeline.ports.running import Stops
from bg_pipeline.redaction import redacted
from bg_pipeline.settings.logs import json_handler
from bg_pipeline.settings.reader import RawSettings, read
from bg_pipeline.wiring import check_alerts, open_monitor, open_pipeline
from bg_pipeline.wiring.settings import Settings, settings_of

DELTA, PAUSES = "bg_pipeline/delta", "bg_pipeline/pauses_so_far"
"""Tags of a run: when the delta was recorded that it processes, and how often the gates had closed when it was
requested. A run spends under the first."""

LEFT_UNDONE = "bg_pipeline/left_undone"
"""Tag with the number of items that a run left, and why."""

UNTIL = "bg_pipeline/until"
"""Tag with the time, by ISO 8601, from which a run that Dagster started by itself buys nothing."""

ERROR = "error"
"""Metadata entry of a failure: the class of the error, for decisions."""

RETRY = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL)
"""
Retries for a store or database that is briefly unavailable, which the pipeline itself does not wait for.

A repeated step finds earlier purchases on record, and spends under the same name, so under the same cap. The waits are
shorter than the grace period of `lost_runs`. The policy is applied per error and not set on the assets: there Dagster
would also retry after an interrupt, so a run that a person terminates would start again, and spend.
"""


Step = dg.OpExecutionContext | dg.AssetExecutionContext
"""A step of a run of Dagster, as it sees itself."""


@dataclass(frozen=True, slots=True)
class Opener:
    """
    Opens the pipeline of one catalogue, as its settings are at that moment.

    It is no resource of Dagster: those are stored in plain text with each job, and settings hold keys.
    """

    names: Names = field(default_factory=Names)
    read: Callable[[], RawSettings] = read
    """Reads the settings as they are written now."""
    problem: str = ""
    """What is wrong with the definition of the catalogue itself; empty if nothing is."""
    wrong_now: Callable[[], str] = str
    """Returns what does not fit to its definition at this moment, such as a variable that is not set; else empty."""

    def settings(self) -> Settings:
        """
        Return all settings of the catalogue.

        Raises:
            ConfigurationError: one is wrong.
        """
        if why := self.problem or self.wrong_now():
            raise ConfigurationError(why)
        return settings_of(self.read(), self.names.catalogue)

    def schedule(self) -> ScheduleSettings:
        """
        Return the schedule of the catalogue.

        Raises:
            ConfigurationError: a setting of it is wrong.
        """
        if self.problem:
            raise ConfigurationError(self.problem)
        return valid_schedule(self.read(), self.names.catalogue)

    def loaded_executor(self) -> dg.ExecutorDefinition:
        """Return the executor for the definitions; the default if a setting is wrong, which every run then tells."""
        try:
            return executor_of(self.read())
        except ConfigurationError:
            return dg.in_process_executor

    def loaded_night_steps(self) -> int:
        """Return the number of steps that share a night, for the definitions; as `loaded_executor`."""
        try:
            return self.read().part(ExecutorSettings).night_steps
        except ConfigurationError:
            return 1

    @contextmanager
    def open(self, step: Step | None = None) -> Iterator[Pipeline]:
        """
        Open the pipeline; an expected error ends the step with one sentence.

        A lease shows that the step is alive. Anything that ends it early, such as a person who terminates its run,
        sets `stop`: calls in flight are finished and kept, and sleeping workers wake up. So does a request to end the
        run, by `bg-pipeline stop` or by Terminate in Dagster, which reaches no step on another machine by itself.

        Args:
            step: the run's name goes into the log and on claims; None where nothing is logged or claimed.

        Raises:
            RetryRequested: the error may be temporary.
            Failure: the error is permanent, or the retries are used up.
        """
        stop = threading.Event()
        name = RunName(step.run.run_id, step.run.job_name, owner_of(step.run.run_id)) if step else RunName()
        progress = LogProgress(step.log) if step else None
        try:
            if step:  # a sensor works without a night, and tells that there is none
                self.schedule()
                executor_of(self.read())
            with (
                open_pipeline(self.settings(), name, stop, progress) as pipeline,
                logged_as_json(step.log if step else None),
                leased(pipeline.catalogue.leases, lease_of_step(name.run_id, step_name(step)), name.owner)
                if step
                else nullcontext(),
                stoppable(stop, partial(_pass_on_end, step, pipeline.stops)) if step else nullcontext(),
            ):
                try:
                    yield pipeline
                    if step and stop.is_set() and (by := pipeline.stops.asked_by(name.run_id)):
                        raise Stopped(
                            f"stopped on request ({by}): requests in flight were finished and kept, the rest waits"
                        )
                except BaseException as error:
                    stop.set()
                    if step and isinstance(error, Stopped):
                        _cancel(step)
                    raise
        except BgPipelineError as error:
            if step and _may_be_temporary(error) and step.retry_number < RETRY.max_retries:
                wait_s = RETRY.calculate_delay(step.retry_number + 1)
                step.log.warning("%s; the step starts again in %.0f s", error, wait_s)
                raise dg.RetryRequested(RETRY.max_retries, wait_s) from None
            failure = dg.Failure(str(error), metadata={ERROR: type(error).__name__}, allow_retries=False)
            # Dagster stores the texts of all causes: a library's may quote what this package's do not.
            raise failure from None
        except Exception as error:
            trace = "".join(traceback.format_exception(error))
            if redacted(trace) == trace:
                raise
            raise dg.Failure(redacted(trace), allow_retries=False) from None

    @contextmanager
    def monitor(self) -> Iterator[Monitor]:
        """
        Open only what reports failures: this works while other settings are wrong.

        Raises:
            Failure: the alert settings or BG_STATE are wrong, or the manifest cannot be used.
        """
        try:
            with open_monitor(self.read(), self.names.catalogue) as monitor:
                yield monitor
        except BgPipelineError as error:
            raise dg.Failure(str(error), metadata={ERROR: type(error).__name__}, allow_retries=False) from error

    def check_alerts(
        self, monitor: Monitor, due_at: Sequence[float], night_of: Callable[[float], Night | None]
    ) -> AlertCheck:
        """Find all current alerts; see `find_alerts`."""
        return check_alerts(self.settings, monitor, due_at, night_of)

    def budget(self, run: dg.DagsterRun, cap: float | None = None, until: float | None = None) -> Budget:
        """
        Return the budget of a run, shared by all runs that spend under the same name.

        Args:
            run: the runs of one night, or of one backfill, share one name and so one cap.
            cap: can lower BG_MAX_CREDITS_PER_RUN, not raise it.
            until: epoch second from which it buys nothing, if before that of its tag.
        """
        name = run.tags.get(DELTA) or run.tags.get("dagster/backfill") or run.run_id
        caps = [self.schedule().max_credits_per_run, None if cap is None else Decimal(str(cap))]
        ends = [until, datetime.fromisoformat(run.tags[UNTIL]).timestamp() if UNTIL in run.tags else None]
        lowest = min((each for each in caps if each is not None), default=None)
        return Budget(name, lowest, min((each for each in ends if each is not None), default=None))


def _pass_on_end(step: Step, stops: Stops) -> bool:
    """
    Record a request to end the run if it is over for Dagster; return True then.

    A person terminated it; or it was marked as failed, and a queue gave its step out again.
    """
    try:
        is_over = _is_over(step)
    except Exception:  # noqa: BLE001  Dagster's storage raises errors of its driver; the next look may succeed
        return False
    if is_over:
        stops.ask(step.run.run_id, "Dagster, where the run is terminated or has failed")
    return is_over


def _is_over(step: Step) -> bool:
    run = step.instance.get_run_by_id(step.run.run_id)
    return run is not None and (run.is_finished or run.status is dg.DagsterRunStatus.CANCELING)


def _cancel(step: Step) -> None:
    """Let Dagster end the run of a stopped step as cancelled: then no sensor requests another one."""
    if not _is_over(step):
        step.instance.report_run_canceling(step.run)


def _may_be_temporary(error: BgPipelineError) -> bool:
    # The lease of a step may still be that of its lost process, if a queue gave the step out again.
    return isinstance(error, StoreError | StateError | LeaseHeld) and not isinstance(error, PaidResultLost)


def step_name(step: Step) -> str:
    """Return the name of a step, as on the page of its run."""
    return str(step.get_step_execution_context().step.key)


def owner_of(run_id: str) -> str:
    """Return the readable name of the holder of a lease or claim."""
    return f"Dagster run {run_id[:8]} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


@contextmanager
def logged_as_json(log: dg.DagsterLogManager | None) -> Iterator[None]:
    """Write what a step logs as JSON too, if the settings ask for it."""
    if log is None or (handler := json_handler()) is None:
        yield
        return
    forward = _Forward(handler)
    log.addHandler(forward)
    try:
        yield
    finally:
        log.removeHandler(forward)


class _Forward(logging.Handler):
    """Hands the records of a step to another handler, without the names that Dagster writes before each message."""

    def __init__(self, to: logging.Handler) -> None:
        super().__init__(logging.INFO)
        self._to = to

    def emit(self, record: logging.LogRecord) -> None:
        said = getattr(record, "dagster_meta", {}).get("orig_message", record.getMessage())
        own = {"name": __name__, "msg": said, "args": (), "levelname": record.levelname, "created": record.created}
        self._to.handle(logging.makeLogRecord(own))


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
