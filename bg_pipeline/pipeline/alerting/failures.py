"""Record that a run failed, and in which stage."""

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
)
from bg_pipeline.pipeline.alerting.find import MOST_ROWS, WINDOW_S
from bg_pipeline.ports.context import Catalogue, Pipeline, Run, RunName

_NO_FAILURE = (AccountError, BudgetReached, ConfigurationError, Deferred, ForeignStore, GateClosed, LeaseHeld)
"""Errors that have an alert of their own, or that the person who started the run sees at once."""


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
    catalogue: Catalogue,
    run: Run,
    cause: BgPipelineError | str,
    stage: Stage,
    *,
    collection: str | None = None,
    failed: RunName | None = None,
    kind: FailureKind = FailureKind.ERROR,
) -> None:
    """
    Record that a run failed; `notify` alerts about it until `core.alerts.is_over`.

    Args:
        catalogue: owner of the run log.
        run: the run that writes the record.
        cause: the error, or its text; only the first line is used.
        stage: the part of the run that failed.
        collection: the collection that it worked on; None for the whole catalogue.
        failed: the run that failed, if it is not `run`.
        kind: the kind of a text cause; for an error, its class gives the kind.
    """
    if isinstance(cause, _NO_FAILURE):
        return
    name = failed or run.name
    catalogue.run_log.write(
        FailureRecord(
            run_id=name.run_id,
            job=name.job,
            collections=None if collection is None else (encode_partition(collection),),
            started_at=run.now(),
            stage=stage,
            failure=FailureKind.GUARD if isinstance(cause, GuardStopped) else kind,
            cause=(str(cause).strip() or type(cause).__name__).partition("\n")[0],
        )
    )
