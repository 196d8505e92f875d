"""Detection of dead runs. Dagster's status does not show them: a killed run may stay "started"."""

import dagster as dg

from bg_pipeline.core.claims import run_of_lease
from bg_pipeline.core.dispatch import GRACE_S, PreviousRun, RunOutcome
from bg_pipeline.core.moments import age_s
from bg_pipeline.orchestration.names import PROCESS_PENDING, Names
from bg_pipeline.orchestration.opener import DELTA, PAUSES
from bg_pipeline.ports.context import Monitor, Pipeline

_WORKING = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_OUTCOMES = {
    dg.DagsterRunStatus.CANCELED: RunOutcome.CANCELLED,
    dg.DagsterRunStatus.SUCCESS: RunOutcome.ENDED,
}
ENDED = [*_OUTCOMES, dg.DagsterRunStatus.FAILURE]


def find_dead_runs(
    instance: dg.DagsterInstance, monitor: Monitor, names: Names, location: str | None = None
) -> list[dg.RunRecord]:
    """
    Return started runs of a catalogue that hold no lease, are between no two steps or attempts, and wait for no slot.

    A run whose step has just begun looks the same.

    Args:
        instance: owner of the runs.
        monitor: owner of the leases.
        names: of the catalogue.
        location: name of the code location; see `Names.owns`.
    """
    records = instance.get_run_records(dg.RunsFilter(statuses=_WORKING))
    at_work = {run_of_lease(lease.name) for lease, _ in monitor.leases.leases()}
    # A step that got a slot stays among the pending ones, with the time of its assignment.
    steps = instance.event_log_storage.get_concurrency_info(names.account.pool).pending_steps
    waiting = {step.run_id for step in steps if step.assigned_timestamp is None}
    return [
        record
        for record in records
        if names.owns(record.dagster_run, location)
        and record.start_time is not None
        and age_s(record.start_time, monitor.now()) > GRACE_S
        and record.dagster_run.run_id not in at_work
        and record.dagster_run.run_id not in waiting
        and not _is_between_steps(instance, record.dagster_run.run_id, monitor.now())
    ]


def _is_between_steps(instance: dg.DagsterInstance, run_id: str, now: float) -> bool:
    """
    Return True if no step is at work and the last one ended not long ago, or waits for its next attempt.

    The next may begin on another machine, or after one of the waits of `opener.RETRY`.
    """
    steps = instance.get_run_step_stats(run_id)
    ends = [attempt.end_time for step in steps for attempt in step.attempts_list if attempt.end_time is not None]
    is_at_work = any(step.partial_attempt_start is not None for step in steps)
    return not is_at_work and bool(ends) and age_s(max(ends), now) <= GRACE_S


def runs_of_delta(
    instance: dg.DagsterInstance, pipeline: Pipeline, names: Names, delta: str, location: str | None = None
) -> list[PreviousRun]:
    """Return the runs requested for this delta, then other `process_pending` runs that have not ended; newest first."""
    dead = {record.dagster_run.run_id for record in find_dead_runs(instance, pipeline.monitor, names, location)}
    job = names.name(PROCESS_PENDING)
    requested = instance.get_run_records(dg.RunsFilter(job_name=job, tags={DELTA: delta}))
    unfinished = [status for status in dg.DagsterRunStatus if status not in ENDED]
    started = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=unfinished))
    active = [record for record in started if names.owns(record.dagster_run, location)]
    known = {record.dagster_run.run_id for record in requested}
    others = [record for record in active if record.dagster_run.run_id not in known]
    return [_previous(record, dead) for record in [*requested, *others]]


def _previous(record: dg.RunRecord, dead: set[str]) -> PreviousRun:
    run = record.dagster_run
    lost = run.run_id in dead or run.status is dg.DagsterRunStatus.FAILURE
    outcome = RunOutcome.LOST if lost else _OUTCOMES.get(run.status, RunOutcome.LIVE)
    ended_at = record.end_time or record.update_timestamp.timestamp()
    return PreviousRun(run.run_id[:8], outcome, ended_at, int(run.tags.get(PAUSES, "-1")))
