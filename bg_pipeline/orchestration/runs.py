"""Which runs really live. Dagster's status does not tell: a killed one may stay "started"."""

import dagster as dg

from bg_pipeline.core.dispatch import PreviousRun, RunOutcome
from bg_pipeline.orchestration.pool import POOL
from bg_pipeline.orchestration.resources import DELTA, PAUSE, life_of
from bg_pipeline.ports.context import LEASE_S, Pipeline

GRACE_S = 2 * LEASE_S
"""A run takes some seconds from its start to its first step; a lease outlives its holder by two minutes."""

JOBS = ("detect_delta", "process_pending", "process_delta", "retry_failed", "__ASSET_JOB")

_WORKING = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_OUTCOMES = {
    dg.DagsterRunStatus.CANCELED: RunOutcome.CANCELLED,
    dg.DagsterRunStatus.SUCCESS: RunOutcome.ENDED,
}
ENDED = [*_OUTCOMES, dg.DagsterRunStatus.FAILURE]


def find_dead_runs(instance: dg.DagsterInstance, pipeline: Pipeline) -> list[dg.RunRecord]:
    """Started runs that show no sign of life and do not wait for the pool. A living one is among them between steps."""
    records = instance.get_run_records(dg.RunsFilter(statuses=_WORKING))
    alive = {lease.name for lease, _ in pipeline.catalogue.leases.leases()}
    # Who has got a place stays among the pending ones, with the moment in which it was given.
    asked = instance.event_log_storage.get_concurrency_info(POOL).pending_steps
    waiting = {step.run_id for step in asked if step.assigned_timestamp is None}
    return [
        record
        for record in records
        if record.dagster_run.job_name in JOBS
        and record.start_time is not None
        and record.start_time < pipeline.run.now() - GRACE_S
        and life_of(record.dagster_run.run_id) not in alive
        and record.dagster_run.run_id not in waiting
    ]


def runs_of_delta(instance: dg.DagsterInstance, pipeline: Pipeline, delta: str) -> list[PreviousRun]:
    """Runs that were requested for this work, newest first; others that do everything count too while they live."""
    gone = {record.dagster_run.run_id for record in find_dead_runs(instance, pipeline)}
    mine = instance.get_run_records(dg.RunsFilter(job_name="process_pending", tags={DELTA: delta}))
    unfinished = [status for status in dg.DagsterRunStatus if status not in ENDED]
    open_ones = instance.get_run_records(dg.RunsFilter(job_name="process_pending", statuses=unfinished))
    known = {record.dagster_run.run_id for record in mine}
    others = [record for record in open_ones if record.dagster_run.run_id not in known]
    return [_previous(record, gone) for record in [*mine, *others]]


def _previous(record: dg.RunRecord, gone: set[str]) -> PreviousRun:
    run = record.dagster_run
    lost = run.run_id in gone or run.status is dg.DagsterRunStatus.FAILURE
    outcome = RunOutcome.LOST if lost else _OUTCOMES.get(run.status, RunOutcome.LIVE)
    ended_at = record.end_time or record.update_timestamp.timestamp()
    return PreviousRun(run.run_id[:8], outcome, ended_at, int(run.tags.get(PAUSE, "-1")))
