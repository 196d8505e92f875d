"""Detection of dead runs. Dagster's status does not show them: a killed run may stay "started"."""

import dagster as dg

from bg_pipeline.core.dispatch import PreviousRun, RunOutcome
from bg_pipeline.orchestration.pool import POOL
from bg_pipeline.orchestration.resources import DELTA, PAUSE, life_of
from bg_pipeline.ports.context import LEASE_S, Pipeline

GRACE_S = 2 * LEASE_S
"""Seconds before a run can count as dead: its first step starts late, and a lease outlives its holder by 2 minutes."""

JOBS = ("detect_delta", "process_pending", "process_delta", "retry_failed", "__ASSET_JOB")

_WORKING = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_OUTCOMES = {
    dg.DagsterRunStatus.CANCELED: RunOutcome.CANCELLED,
    dg.DagsterRunStatus.SUCCESS: RunOutcome.ENDED,
}
ENDED = [*_OUTCOMES, dg.DagsterRunStatus.FAILURE]


def find_dead_runs(instance: dg.DagsterInstance, pipeline: Pipeline) -> list[dg.RunRecord]:
    """Return started runs that hold no lease and do not wait for the pool. A live run is among them between steps."""
    records = instance.get_run_records(dg.RunsFilter(statuses=_WORKING))
    alive = {lease.name for lease, _ in pipeline.catalogue.leases.leases()}
    # A step that has got a slot stays among the pending ones, with the time of its assignment.
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
    """Return the runs requested for this delta, then other `process_pending` runs that have not ended; newest first."""
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
