"""Which runs really live. Dagster's status does not tell: a killed one may stay "started" for ever."""

import dagster as dg

from bg_pipeline.core.dispatch import How, Past
from bg_pipeline.orchestration.pool import POOL
from bg_pipeline.orchestration.resources import EPISODE, WAVE, sign_of_life
from bg_pipeline.steps.parts import LEASE_S, Parts

GRACE_S = 2 * LEASE_S
"""A run takes some seconds from its start to its first step; a lease outlives its holder by two minutes."""

JOBS = ("detect_delta", "process_pending", "process_delta", "retry_failed", "__ASSET_JOB")

_WORKING = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_HOW = {dg.DagsterRunStatus.CANCELED: How.CANCELLED, dg.DagsterRunStatus.SUCCESS: How.ENDED}
ENDED = [*_HOW, dg.DagsterRunStatus.FAILURE]


def lifeless(instance: dg.DagsterInstance, parts: Parts) -> list[dg.RunRecord]:
    """Started runs that show no sign of life and do not wait for the pool. A living one is among them between steps."""
    records = instance.get_run_records(dg.RunsFilter(statuses=_WORKING))
    alive = {lease.name for lease, _ in parts.control.leases()}
    # Who has got a place stays among the pending ones, with the moment in which it was given.
    asked = instance.event_log_storage.get_concurrency_info(POOL).pending_steps
    waiting = {step.run_id for step in asked if step.assigned_timestamp is None}
    return [
        record
        for record in records
        if record.dagster_run.job_name in JOBS
        and record.start_time is not None
        and record.start_time < parts.now() - GRACE_S
        and sign_of_life(record.dagster_run.run_id) not in alive
        and record.dagster_run.run_id not in waiting
    ]


def of_wave(instance: dg.DagsterInstance, parts: Parts, wave: str) -> list[Past]:
    """Runs that were asked for this work, newest first; any other that does everything counts too while it lives."""
    gone = {record.dagster_run.run_id for record in lifeless(instance, parts)}
    mine = instance.get_run_records(dg.RunsFilter(job_name="process_pending", tags={WAVE: wave}))
    unfinished = [status for status in dg.DagsterRunStatus if status not in ENDED]
    open_ones = instance.get_run_records(dg.RunsFilter(job_name="process_pending", statuses=unfinished))
    known = {record.dagster_run.run_id for record in mine}
    others = [record for record in open_ones if record.dagster_run.run_id not in known]
    return [_past(record, gone) for record in [*mine, *others]]


def _past(record: dg.RunRecord, gone: set[str]) -> Past:
    run = record.dagster_run
    how = (
        How.LOST if run.run_id in gone or run.status is dg.DagsterRunStatus.FAILURE else _HOW.get(run.status, How.LIVE)
    )
    ended_at = record.end_time or record.update_timestamp.timestamp()
    return Past(run.run_id[:8], how, ended_at, int(run.tags.get(EPISODE, "-1")))
