"""Sensors that start runs when there is work, set the gate by the balance, and clear away dead runs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.dispatch import should_request_run
from bg_pipeline.core.gate import Gate, Thresholds, first_open
from bg_pipeline.core.keys import decode_partition
from bg_pipeline.core.runlog import DetectRecord, FailureKind, ProcessRecord, RetryRecord, Stage
from bg_pipeline.errors import GuardStopped
from bg_pipeline.orchestration.balance import LastReported, changes_since
from bg_pipeline.orchestration.dagster_private import get_latest_completed_cron_tick
from bg_pipeline.orchestration.jobs import detect_delta, process_delta, process_pending
from bg_pipeline.orchestration.pool import pause_pool, resume_pool
from bg_pipeline.orchestration.resources import DELTA, ERROR, PAUSE, PipelineResource
from bg_pipeline.orchestration.retention import delete_old
from bg_pipeline.orchestration.runs import find_dead_runs, runs_of_delta
from bg_pipeline.pipeline.alerting.failures import note_failure
from bg_pipeline.pipeline.alerting.notify import deliver, notify
from bg_pipeline.ports.context import DETECTION, Accounts, Pipeline, RunName
from bg_pipeline.purchasing.gate import gates_of, read_balances
from bg_pipeline.purchasing.money import left_of
from bg_pipeline.wiring.settings import load_schedule

_MOST_ROWS = 1_000
"""Most records since the last detection that are searched for the last run that did everything."""

LATE_S = 900.0
"""Seconds without a detection after which a night counts as missed. The scheduler catches up within a minute."""


@dg.sensor(
    job=process_pending,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one run for all that is pending, while requests are allowed.",
)
def delta_dispatch(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.RunRequest | dg.SkipReason:
    """`run_key` names detection, pause and try: Dagster dedupes it for good, also after a failed run."""
    with pipeline.open() as opened:
        gates = gates_of(opened.accounts, opened.policy)
        if not first_open(gates).is_open:
            return dg.SkipReason(_status(opened.accounts, opened.policy.thresholds, gates))
        return request_run(context.instance, opened)


def request_run(instance: dg.DagsterInstance, pipeline: Pipeline) -> dg.RunRequest | dg.SkipReason:
    """Return a run request if pending items need one; else the reason against it."""
    catalogue, accounts, policy, run = pipeline.parts
    pending = sum(catalogue.queue.pending().values())
    if not pending:
        return dg.SkipReason("nothing is pending")
    pause = sum(gate.pause for gate in gates_of(accounts, policy))
    records = [*catalogue.run_log.read(DetectRecord), *catalogue.run_log.read(RetryRecord)]
    since = max((record.ended_at for record in records), default=0.0)
    delta = f"{since:.3f}"
    ended = catalogue.run_log.read(ProcessRecord, since, _MOST_ROWS)
    last = next((record.summary for record in ended if record.everything), None)
    decision = should_request_run(runs_of_delta(instance, pipeline, delta), last, pause, run.now())
    if not decision.request:
        return dg.SkipReason(f"{pending} items are pending: {decision.why}")
    return dg.RunRequest(
        # Counts only runs of this detection: old runs are deleted, and Dagster ignores a `run_key` used before.
        run_key=f"{delta}/{pause}/{instance.get_runs_count(dg.RunsFilter(tags={DELTA: delta}))}",
        tags={
            DELTA: delta,
            PAUSE: str(pause),
            "bg_pipeline/pending": str(pending),
            "bg_pipeline/asked_because": decision.why,
        },
    )


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads the balance. Below the threshold it closes the gate and sets the pool `cutouts` to 0; after a "
    "top-up it opens the one and puts back the other.",
)
def low_credit_sensor(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Never starts a run: its tick says how the gate stands, and `credit_balance` shows it over time."""
    with pipeline.open() as opened:
        accounts, policy, run = opened.accounts, opened.policy, opened.run
        gates = read_balances(accounts, policy, run)
        reported, events = changes_since(gates, policy.thresholds, LastReported.from_cursor(context.cursor), run.now())
        status = _status(accounts, policy.thresholds, gates)
    (resume_pool if first_open(gates).is_open else pause_pool)(context.instance)
    return dg.SensorResult(skip_reason=status, cursor=reported.cursor(), asset_events=events)


def _status(accounts: Accounts, thresholds: Thresholds, gates: Sequence[Gate]) -> str:
    lines = []
    for gate in gates:
        left = left_of(accounts, gate)
        balance = "counts no credits" if left is None else f"{left} credits"
        open_one = f"{gate.account}: {balance}, requests are allowed"
        lines.append(open_one if gate.is_open else why_closed(gate, thresholds, left))
    return "; ".join(lines)


@dg.sensor(
    job=detect_delta,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Catches up a night that did not come to its end: the machine was off, the share not mounted.",
)
def missed_night(pipeline: PipelineResource) -> dg.RunRequest | dg.SkipReason:
    """One run a missed night, however many were missed before it."""
    night = load_schedule()
    with pipeline.open() as opened:
        now = opened.run.now()
        due = get_latest_completed_cron_tick(
            night.nightly_cron, datetime.fromtimestamp(now, UTC), night.timezone
        ).timestamp()
        detected = opened.catalogue.run_log.read(DetectRecord)
        busy = [lease for lease, _ in opened.catalogue.leases.leases() if lease.name == DETECTION]
    name = datetime.fromtimestamp(due, UTC).isoformat(timespec="minutes")
    if not detected:
        return dg.SkipReason("there was no night yet: the schedule will start the first")
    if detected[0].ended_at >= due:
        return dg.SkipReason(f"the night of {name} is complete")
    if busy:
        return dg.SkipReason(f"{busy[0].owner} detects now")
    if now < due + LATE_S:
        return dg.SkipReason(f"the night of {name} may still come by itself")
    # Once an hour until one completes: the share may still not be mounted.
    late_h = int((now - due) // 3600)
    return dg.RunRequest(run_key=f"night of {name}, {late_h} h late", tags={"bg_pipeline/catches_up": name})


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs as failed whose process died, and frees their slots.",
)
def lost_runs(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Two looks in a row: between two of its steps a healthy run shows no sign of life either."""
    with pipeline.open() as opened:
        records = find_dead_runs(context.instance, opened)
    found = {record.dagster_run.run_id: record.dagster_run for record in records}
    dead = sorted(set(found) & set(json.loads(context.cursor or "[]")))
    for run_id in dead:
        context.instance.report_run_failed(found[run_id], "its process is gone: it showed no sign of life for minutes")
        context.instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    said = f"marked as failed: {', '.join(run_id[:8] for run_id in dead)}" if dead else "all running runs are healthy"
    return dg.SensorResult(skip_reason=said, cursor=json.dumps(sorted(set(found) - set(dead))))


@dg.sensor(
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deletes runs older than BG_RUN_DAYS. The newest of each asset and collection stays.",
)
def old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Never an unfinished run, however old."""
    days = load_schedule().run_days
    gone = delete_old(context.instance, datetime.now(UTC) - timedelta(days=days))
    return dg.SkipReason(f"deleted {len(gone)} runs older than {days} days" if gone else "no run is to be deleted")


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends alerts: once when something begins, daily while it lasts, once when it is over.",
)
def alerts(pipeline: PipelineResource) -> dg.SkipReason:
    """In a tick of its own, so that a target that hangs keeps no run and no other sensor waiting."""
    with pipeline.open() as opened:
        planned = notify(opened)
        sent = deliver(opened.alerting.outbox, opened.alerting.sink, opened.run.now)
    refused = f"; not taken by {', '.join(sent.refused_by)}" if sent.refused_by else ""
    return dg.SkipReason(f"new notifications: {len(planned)}, delivered: {sent.sent}{refused}")


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records which run failed and why, for `alerts`.",
)
def failed_runs(context: dg.RunFailureSensorContext, pipeline: PipelineResource) -> None:
    """The sentence that the step failed with, where there is one: it names the cause in a line."""
    run = context.dagster_run
    key = context.partition_key
    with pipeline.open() as opened:
        note_failure(
            opened.catalogue,
            opened.run,
            _cause(context),
            _stage_of(run.job_name, context),
            collection=decode_partition(key) if key else None,
            failed=RunName(run.run_id, run.job_name),
            kind=FailureKind.GUARD if _error(context) == GuardStopped.__name__ else FailureKind.ERROR,
        )


def _error(context: dg.RunFailureSensorContext) -> str:
    """Return the class name of the error that a step failed with; empty for errors of other packages."""
    for event in context.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        if failure is not None and ERROR in failure.metadata:
            return str(failure.metadata[ERROR].value)
    return ""


def _stage_of(job: str, context: dg.RunFailureSensorContext) -> Stage:
    steps = {event.step_key for event in context.get_step_failure_events()}
    if job in {process_pending.name, process_delta.name} or steps & _PROCESSING_STEPS:
        return Stage.PROCESSING
    return Stage.DETECTION if job == detect_delta.name or steps & _DETECTION_STEPS else Stage.OTHER


_PROCESSING_STEPS = frozenset({"cutouts", "nightly_cutouts"})
_DETECTION_STEPS = frozenset({"source_images", "manifest", "image_delta"})


def _cause(context: dg.RunFailureSensorContext) -> str:
    for event in context.get_step_failure_events():
        found = event.step_failure_data.user_failure_data
        if found is not None and found.description:
            return str(found.description)
    return context.failure_event.message or "it failed without a word"
