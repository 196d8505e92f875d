"""Record that a run failed, in which stage, and what failed in it."""

from collections.abc import Mapping

from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.runlog import ClearOutRecord, DetectRecord, FailureKind, FailureRecord, Record, Stage
from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    BudgetReached,
    ConfigurationError,
    Deferred,
    ForeignStore,
    GateClosed,
    GuardStopped,
    LeaseHeld,
    SourceUnreadable,
    Stopped,
    StoreError,
)
from bg_pipeline.pipeline.alerting.runs import MOST_ROWS, WINDOW_S
from bg_pipeline.ports.context import Monitor, Pipeline, RunName

_NO_FAILURE = (AccountError, BudgetReached, Deferred, ForeignStore, GateClosed, LeaseHeld, Stopped)
"""Errors that have an alert of their own, that end by themselves, or that a person asked for."""

_KINDS: Mapping[type[BgPipelineError], FailureKind] = {
    ConfigurationError: FailureKind.SETTINGS,
    GuardStopped: FailureKind.GUARD,
    SourceUnreadable: FailureKind.SOURCE,
    StoreError: FailureKind.STORE,
}


def kind_of(error: type[BgPipelineError] | None) -> FailureKind | None:
    """Return what failed, by the class of the error; None if it is no failure that needs an alert."""
    if error is None:
        return FailureKind.ERROR
    if issubclass(error, _NO_FAILURE):
        return None
    return next((kind for known, kind in _KINDS.items() if issubclass(error, known)), FailureKind.ERROR)


def failed_stage(pipeline: Pipeline, *, everything: bool) -> Stage:
    """Return the first stage that has no record of this run, although the run should have completed it."""
    since = pipeline.run.now() - WINDOW_S

    def has_record(kind: type[Record]) -> bool:
        records = pipeline.catalogue.run_log.read(kind, since, MOST_ROWS)
        return any(record.run_id == pipeline.run.name.run_id for record in records)

    if not has_record(DetectRecord):
        return Stage.DETECTION
    if everything and pipeline.policy.deletes.trash and not has_record(ClearOutRecord):
        return Stage.CLEAR_OUT
    return Stage.PROCESSING


def note_failure(
    monitor: Monitor, failed: RunName, kind: FailureKind, cause: str, stage: Stage, *, collection: str | None = None
) -> None:
    """
    Record that a run failed; `notify` alerts about it until `core.alerts.is_over`.

    Args:
        monitor: owner of the run log.
        failed: the run.
        kind: what failed in it; see `kind_of`.
        cause: the error's text; only the first line is used.
        stage: the part of the run that failed.
        collection: the collection that it worked on; None for the whole catalogue.
    """
    monitor.run_log.write(
        FailureRecord(
            run_id=failed.run_id,
            job=failed.job,
            collections=None if collection is None else (encode_partition(collection),),
            started_at=monitor.now(),
            stage=stage,
            failure=kind,
            cause=(cause.strip() or "no message").partition("\n")[0],
        )
    )
