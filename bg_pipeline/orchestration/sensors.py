"""Sensors that request runs, move the gate with the balance, handle dead and old runs, and send alerts."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg

from bg_pipeline import errors
from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.dispatch import should_request_run
from bg_pipeline.core.gate import first_open
from bg_pipeline.core.keys import decode_partition
from bg_pipeline.core.night_window import Night, why_not_now
from bg_pipeline.core.runlog import DetectRecord, FailureKind, ProcessRecord, RetryRecord, Stage
from bg_pipeline.errors import BgPipelineError, ConfigurationError, StoreError
from bg_pipeline.orchestration.balance import LastReported, balances_of, changes_since, in_words
from bg_pipeline.orchestration.jobs import detect_delta, process_delta, process_pending
from bg_pipeline.orchestration.pool import pause_pool, resume_pool
from bg_pipeline.orchestration.resources import DELTA, ERROR, PAUSES, UNTIL, PipelineResource
from bg_pipeline.orchestration.retention import delete_old
from bg_pipeline.orchestration.runs import find_dead_runs, runs_of_delta
from bg_pipeline.orchestration.schedule import (
    LOADED,
    SCHEDULE,
    last_due,
    night_of,
    nights_due,
    schedule_state,
    valid_schedule,
)
from bg_pipeline.orchestration.waiting import show_waiting_runs
from bg_pipeline.pipeline.alerting.failures import kind_of, note_failure
from bg_pipeline.pipeline.alerting.notify import deliver, notify
from bg_pipeline.pipeline.ownership import find_foreign_store
from bg_pipeline.pipeline.process import probe_stores
from bg_pipeline.ports.context import DETECTION, Pipeline, RunName
from bg_pipeline.purchasing.gate import gates_of, read_balances

_MOST_ROWS = 1_000
"""Most records since the last detection to search for the last run that processed everything."""

LATE_S = 900.0
"""Seconds without a detection after which a night counts as missed. The scheduler catches up within a minute."""


@dg.sensor(
    job=process_pending,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one run for all pending items, while the gate is open.",
)
def delta_dispatch(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.RunRequest | dg.SkipReason:
    """Request a run. Its key names detection, pause and try: Dagster never runs a key twice, even after a failure."""
    with pipeline.open() as services:
        gates = gates_of(services.accounts, services.policy)
        if not first_open(gates).is_open:
            balances = balances_of(services.accounts, gates)
            return dg.SkipReason(in_words(balances, services.policy.thresholds, services.run.now()))
        night = partial(night_of, valid_schedule(), schedule_state(context))
        return request_run(context.instance, services, night)


def request_run(
    instance: dg.DagsterInstance, pipeline: Pipeline, night_of: Callable[[float, float], Night | None]
) -> dg.RunRequest | dg.SkipReason:
    """
    Return a run request if pending items need a run, else the reason why not.

    Args:
        instance: where the earlier runs are.
        pipeline: the whole pipeline.
        night_of: returns the night of the last detection at a time, as `schedule.night_of`.
    """
    catalogue, accounts, policy, run = pipeline.context
    pending = sum(catalogue.queue.pending().values())
    if not pending:
        return dg.SkipReason("nothing is pending")
    if foreign := find_foreign_store(pipeline):
        return dg.SkipReason(str(foreign))
    pause = sum(gate.pause for gate in gates_of(accounts, policy))
    records = [*catalogue.run_log.read(DetectRecord), *catalogue.run_log.read(RetryRecord)]
    since = max((record.ended_at for record in records), default=0.0)
    night = night_of(since, run.now())
    if night and (why := why_not_now(night, since, run.now())):
        return dg.SkipReason(f"{pending} items are pending: {why}")
    delta = datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ended = catalogue.run_log.read(ProcessRecord, since, _MOST_ROWS)
    last = next((record.summary for record in ended if record.everything), None)
    decision = should_request_run(runs_of_delta(instance, pipeline, delta), last, pause, run.now())
    if not decision.request:
        return dg.SkipReason(f"{pending} items are pending: {decision.why}")
    try:
        probe_stores(catalogue, accounts)
    except StoreError as error:
        return dg.SkipReason(f"{pending} items are pending, and nothing is bought: {error}")
    # Counts only runs of this detection: old runs are deleted, and Dagster ignores a `run_key` used before.
    tries = instance.get_runs_count(dg.RunsFilter(tags={DELTA: delta}))
    return dg.RunRequest(
        run_key=f"delta of {delta}, pause {pause}, try {tries + 1}",
        tags={
            DELTA: delta,
            PAUSES: str(pause),
            "bg_pipeline/asked_because": f"{pending} items are pending: {decision.why}",
            **({UNTIL: datetime.fromtimestamp(night.ends_at, UTC).isoformat()} if night else {}),
        },
    )


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads the balance. Below the threshold it closes the gate and sets the pool `cutouts` to 0; after a "
    "top-up it opens the gate and restores the pool. Tags the runs that wait for either with what they wait for.",
)
def low_credit_sensor(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Read the balances. The tick shows the gates, and `credit_balance` shows them over time."""
    with pipeline.open() as services:
        accounts, policy, run = services.accounts, services.policy, services.run
        balances = balances_of(accounts, read_balances(accounts, policy, run))
        now, thresholds = run.now(), policy.thresholds
        reported, events = changes_since(balances, thresholds, LastReported.from_cursor(context.cursor), now)
        status = in_words(balances, thresholds, now)
    allowed = first_open([balance.gate for balance in balances]).is_open
    (resume_pool if allowed else pause_pool)(context.instance)
    closed = (
        ""
        if allowed
        else "; ".join(why_closed(each.gate, thresholds[each.gate.account], each.left) for each in balances)
    )
    show_waiting_runs(context.instance, closed, now)
    return dg.SensorResult(skip_reason=status, cursor=reported.cursor(), asset_events=events)


@dg.sensor(
    job=detect_delta,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Repeats a detection that was missed or failed: the machine was off, or a share was not mounted.",
)
def missed_night(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.RunRequest | dg.SkipReason:
    """Request one detection for the last missed night, however many were missed before it."""
    if LOADED.problem:
        return dg.SkipReason(LOADED.problem)
    schedule = schedule_state(context)
    if not schedule.is_on:
        return dg.SkipReason(
            f"the schedule {SCHEDULE} is switched off, so no night is due: switch it on in the UI, under Automation"
        )
    with pipeline.open() as services:
        now = services.run.now()
        due = last_due(LOADED.settings, now)
        detected = services.catalogue.run_log.read(DetectRecord)
        busy = [lease for lease, _ in services.catalogue.leases.leases() if lease.name == DETECTION]
    name = datetime.fromtimestamp(due, UTC).isoformat(timespec="minutes")
    if not detected:
        why_not = "there was no night yet: the schedule starts the first"
    elif detected[0].ended_at >= due:
        why_not = f"the night of {name} is complete"
    elif due < schedule.on_since:
        why_not = f"the schedule was switched on after {name}: it starts the next night"
    elif busy:
        why_not = f"a detection is running: {busy[0].owner}"
    else:
        why_not = f"the schedule may still start the night of {name}" if now < due + LATE_S else ""
    if why_not:
        return dg.SkipReason(why_not)
    # Once an hour until one completes: the share may still not be mounted.
    late_h = int((now - due) // 3600)
    return dg.RunRequest(
        run_key=f"night of {name}, {late_h} h late", tags={"bg_pipeline/catches_up": f"the night of {name}"}
    )


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs whose process died as failed, and frees their slots.",
)
def lost_runs(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Mark runs that look dead at two ticks in a row: between two steps, a live run holds no lease either."""
    with pipeline.monitor() as monitor:
        records = find_dead_runs(context.instance, monitor)
    suspects = {record.dagster_run.run_id: record.dagster_run for record in records}
    dead = sorted(set(suspects) & set(json.loads(context.cursor or "[]")))
    for run_id in dead:
        context.instance.report_run_failed(suspects[run_id], "its process is gone: it sent no heartbeat for minutes")
        context.instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    status = f"marked as failed: {', '.join(run_id[:8] for run_id in dead)}" if dead else "all running runs are healthy"
    return dg.SensorResult(skip_reason=status, cursor=json.dumps(sorted(set(suspects) - set(dead))))


@dg.sensor(
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deletes runs older than BG_RUN_DAYS. The newest of each asset and collection stays.",
)
def old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Delete old runs, but no unfinished one."""
    try:
        days = valid_schedule().run_days
    except ConfigurationError as error:
        return dg.SkipReason(f"nothing is deleted: {error}")
    deleted = delete_old(context.instance, datetime.now(UTC) - timedelta(days=days))
    return dg.SkipReason(f"deleted {len(deleted)} runs older than {days} days" if deleted else "no run to delete")


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends alerts: once when something begins, daily while it lasts, once when it is over.",
)
def alerts(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SkipReason:
    """
    Send alerts in a tick of their own: a target that hangs delays no run and no other sensor.

    It needs only the manifest and the alert settings, so it also reports that another setting is wrong.
    """
    with pipeline.monitor() as monitor:
        state = schedule_state(context)
        due_at = nights_due(LOADED.settings, state, monitor.now())
        check = pipeline.check_alerts(monitor, due_at, lambda at: night_of(LOADED.settings, state, at, at))
        planned = notify(monitor, check)
        sent = deliver(monitor.alerting.outbox, monitor.alerting.sink, monitor.now)
    refused = "".join(f"; {refusal}" for refusal in sent.refusals)
    return dg.SkipReason(f"new notifications: {len(planned)}, delivered: {sent.sent}{refused}")


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records which run failed and why, for `alerts`.",
)
def failed_runs(context: dg.RunFailureSensorContext, pipeline: PipelineResource) -> None:
    """Record the message that the step failed with, if there is one: it names the cause in one line."""
    failed_in = list(context.get_step_failure_events())
    kind = kind_of(_error(failed_in)) if failed_in else FailureKind.PROCESS
    if kind is None:
        return
    run = context.dagster_run
    key = context.partition_key
    with pipeline.monitor() as monitor:
        note_failure(
            monitor,
            RunName(run.run_id, run.job_name),
            kind,
            _cause(failed_in, context.failure_event.message),
            _stage_of(context),
            collection=decode_partition(key) if key else None,
        )


def _error(failed_in: Sequence[dg.DagsterEvent]) -> type[BgPipelineError] | None:
    """Return the class of the error that a step failed with; None for errors of other packages."""
    for event in failed_in:
        failure = event.step_failure_data.user_failure_data
        if failure is not None and ERROR in failure.metadata:
            error = getattr(errors, str(failure.metadata[ERROR].value), None)
            return error if isinstance(error, type) else None
    return None


def _stage_of(context: dg.RunFailureSensorContext) -> Stage:
    """Return the stage of the first step that did not succeed: a killed process leaves no failure of its step."""
    run = context.dagster_run
    ended = {each.step_key: each.status for each in context.instance.get_run_step_stats(run.run_id)}
    succeeded = {step for step, status in ended.items() if status is not None and status.value in _SUCCEEDED}
    planned = {asset.to_user_string() for asset in run.asset_selection or ()}
    steps = (ended.keys() - succeeded) or (planned - succeeded)
    if run.job_name == detect_delta.name or steps & _DETECTION_STEPS:
        return Stage.DETECTION
    processes = run.job_name in {process_pending.name, process_delta.name} or steps & _PROCESSING_STEPS
    return Stage.PROCESSING if processes else Stage.OTHER


_SUCCEEDED = frozenset({"SUCCESS", "SKIPPED"})
_PROCESSING_STEPS = frozenset({"cutouts", "nightly_cutouts"})
_DETECTION_STEPS = frozenset({"source_images", "manifest", "image_delta"})


def _cause(failed_in: Sequence[dg.DagsterEvent], message: str | None) -> str:
    for event in failed_in:
        failure = event.step_failure_data.user_failure_data
        if failure is not None and failure.description:
            return str(failure.description)
    return message or "it failed without a message"
